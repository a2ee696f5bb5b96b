from attacca.control.core.progress import Refused, refused, refused_check
from attacca.errors import BuildFailed
from attacca.model.function import PythonDirectory, Revision, Settings, Signature
from attacca.model.invocation import Failed
from attacca.model.messages import Checked

REVISION = Revision(
    function="f",
    number=1,
    settings=Settings(name="f"),
    handler="",
    signature=Signature.NAMED,
    artefact=PythonDirectory("c"),
)


def test_an_error_keeps_its_code_and_hint() -> None:
    assert refused(BuildFailed("no", "try")) == Refused("build_failed", "no", "try")


def test_a_failed_check_keeps_its_traceback() -> None:
    failed = Checked("1", REVISION, Failed("bad_function", "SyntaxError", "fix it", "Traceback"))
    assert refused_check(failed) == Refused("bad_function", "SyntaxError", "fix it", "Traceback")
    assert refused_check(Checked("1", REVISION)) is None


def test_a_failed_check_without_a_hint_says_that_nothing_was_deployed() -> None:
    refusal = refused_check(Checked("1", REVISION, Failed("bad_function", "SyntaxError")))
    assert refusal is not None
    assert refusal.hint == "nothing was deployed; correct it and deploy again"
