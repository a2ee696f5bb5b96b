"""Whose sandboxes can be handed an invocation ahead."""

from attacca.model.function import PythonDirectory, PythonImage, Revision, Scheduling


def can_have_ahead(revision: Revision) -> bool:
    """It runs one at a time, in processes of ours, which take what is next as it comes; and the worker decides."""
    is_ours = type(revision.artefact) is PythonDirectory or type(revision.artefact) is PythonImage
    is_alone = revision.settings.concurrency == 1 and revision.settings.scheduling is Scheduling.WORKER
    return is_ours and is_alone and not revision.takes_requests
