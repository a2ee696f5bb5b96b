from attacca.guest import channel
from attacca.worker.runtime.process.zygote import arrival, child, crossing, prepared, rootfs, template


def test_what_the_first_file_in_an_image_has_for_itself_is_what_the_others_have() -> None:
    assert (arrival.HEAD.format, arrival.FAILED) == (channel.HEAD.format, channel.FAILED)
    assert (child.WRITER, rootfs.KIT, template.__name__) == (arrival.WRITER, arrival.KIT, arrival.REST)
    assert crossing.FIRST_FREE == prepared.FIRST_OWN
    assert crossing.ARRIVAL.removeprefix(f"{rootfs.KIT}/") == arrival.__name__.replace(".", "/") + ".py"
