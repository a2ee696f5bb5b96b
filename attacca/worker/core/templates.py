"""Templates of revisions that are deployed: when one is worth its memory, and what its end means."""

from attacca.errors import IllegalTransition
from attacca.worker.config import WorkerConfig
from attacca.worker.core.catalogue import Catalogue
from attacca.worker.core.checks import Checks
from attacca.worker.core.events import Command
from attacca.worker.core.pool import Pool
from attacca.worker.core.reports import TemplateFailed, TemplateGone, TemplateReady
from attacca.worker.core.scheduler import Scheduler
from attacca.worker.core.state import RevisionState, Sandbox, Template

FAILED_FORKS = 2  # in a row, before a template is no longer trusted
MANY = 8  # sandboxes of one revision


class Templates:
    def __init__(
        self, config: WorkerConfig, pool: Pool, checks: Checks, catalogue: Catalogue, scheduler: Scheduler
    ) -> None:
        self._config, self._pool, self._checks = config, pool, checks
        self._catalogue, self._scheduler = catalogue, scheduler

    def __repr__(self) -> str:
        return f"<Templates {len(self._pool.templates)}>"

    def hear(self, now: float, event: TemplateReady | TemplateFailed | TemplateGone, out: list[Command]) -> None:
        template = self._pool.templates.get(event.template)
        if template is None:
            raise IllegalTransition(
                f"{type(event).__name__} about template {event.template}, which this worker does not know",
                "a runtime reports the end of a template once, and nothing after it",
            )
        match event:
            case TemplateReady():
                template.unfit = event.unfit
                if self._pool.template_ready(template, event.memory_mb):
                    if template.id in self._checks.making:
                        self._checks.ready(now, template, event, out)
                    elif template.state is not None and template.state.template is template:
                        self._catalogue.take_template(template.state, template, out)
            case TemplateFailed():
                self._ended(now, template, f"template failed: {event.code}", was_ready=False)
                if template.id in self._checks.making:
                    self._checks.failed(template, event, out)
            case TemplateGone():
                self._ended(now, template, f"template died: {event.why}", was_ready=True)

    def _ended(self, now: float, template: Template, no_template_reason: str, *, was_ready: bool) -> None:
        self._pool.template_ended(template, was_ready=was_ready)
        state = template.state
        if state is not None and state.template is template:  # unasked
            state.no_template_reason = no_template_reason
            state.template = None
            state.back_off(now, self._config.template_retry_s)

    def fork_failed(self, now: float, sandbox: Sandbox, out: list[Command]) -> None:
        """If it was a fork: once too often, and it is not tried again for a while."""
        state, template = sandbox.state, sandbox.state.template
        if template is not None and template is sandbox.template and state.failures >= FAILED_FORKS:
            self._pool.retire(template, "template retired: forks of it failed", out)
            state.back_off(now, self._config.template_retry_s)

    def want(self, now: float, state: RevisionState, out: list[Command]) -> None:
        """The revision has shown that it works. A template is worth free memory, but nobody's place."""
        if not self._config.templates or state.retired or now < state.template_retry_at or state.template is not None:
            return
        is_short = self._scheduler.head_of_line or self._checks.waiting
        if not is_short and self._pool.fits(state.resources.memory_alone()):
            self._pool.make_template(now, state.revision, state, out)

    def made_without(self, now: float, state: RevisionState, out: list[Command]) -> None:
        """One more sandbox is ready. Where many were made ahead of need, there may be more, and no invocation first."""
        if state.template is None and len(state.sandboxes) >= MANY:
            self.want(now, state, out)

    def let_go(self, name: str, out: list[Command]) -> None:
        """It was checked, and nobody has deployed it."""
        template = self._pool.templates.get(name)
        if template is not None and template.is_open and template.state is None:
            self._pool.retire(template, "checked, but not deployed", out)
