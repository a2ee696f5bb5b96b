import msgspec

from attacca.control.core.progress import Done, Refused, Step
from attacca.control.core.stored import Function
from attacca.control.http.api import DoneLine, ErrorLine, StepLine
from attacca.control.http.rows import detail, progress_line, row
from attacca.model.function import MASK, PythonDirectory, Revision, Settings, Signature

FIRST = Revision(
    function="hello", number=1, settings=Settings(name="hello", env={"A": "secret"}), handler="main:f",
    signature=Signature.EVENT, artefact=PythonDirectory("c" * 40), created_at=5.0,
)  # fmt: skip
SECOND = msgspec.structs.replace(FIRST, number=2, artefact=PythonDirectory("d" * 40))
THIRD = msgspec.structs.replace(SECOND, number=3, artefact=PythonDirectory("d" * 40, "e" * 40))


def test_revisions_are_shown_newest_first_each_with_what_it_changed() -> None:
    shown = detail(Function("hello", 2, 3, (FIRST, SECOND, THIRD)))
    assert [(one.revision, one.is_current, one.changes) for one in shown.revisions] == [
        (3, False, ("requirements",)), (2, True, ("code",)), (1, False, ("new function",)),
    ]  # fmt: skip
    assert (shown.revision, shown.has_requirements, shown.settings.env) == (2, False, {"A": MASK})


def test_what_the_oldest_kept_revision_changed_is_not_known() -> None:
    assert detail(Function("hello", 3, 3, (SECOND, THIRD))).revisions[-1].changes == ()


def test_a_row_is_of_the_current_revision() -> None:
    assert (row(SECOND).revision, row(SECOND).deployed_at, row(SECOND).memory_mb) == (2, 5.0, 128)


def test_words_of_a_deployment_are_lines() -> None:
    assert progress_line(Step("check", "x")) == StepLine("check", "x")
    done = progress_line(Done(SECOND, 1.5, 1, ("code",)))
    assert isinstance(done, DoneLine)
    assert (done.done.revision, done.done.replaced, done.done.imports_ms) == (2, 1, 1.5)
    refused = progress_line(Refused("bad_function", "no", "mend it", "Traceback"))
    assert isinstance(refused, ErrorLine)
    assert (refused.error.code, refused.error.hint, refused.error.traceback) == ("bad_function", "mend it", "Traceback")
