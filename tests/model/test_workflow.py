"""What may be seen of a workflow by whoever may look at it."""

from attacca.model.function import PythonDirectory
from attacca.model.workflow import Component, WorkflowSpec, shown


def test_values_of_env_and_passwords_of_addresses_are_not_shown() -> None:
    spec = WorkflowSpec(
        name="w",
        components=(
            Component(name="f", artefact=PythonDirectory("aa"), env={"KEY": "canary"}),
            Component(
                name="db",
                resource="sqlx",
                configuration={"url": "postgresql://ann:canary@host:5432/db?x=1", "key": "a@b //c d@e"},
            ),
        ),
    )
    function, resource = shown(spec).components
    assert function.env == {"KEY": "***"}
    assert resource.configuration == {"url": "postgresql://***@host:5432/db?x=1", "key": "a@b //c d@e"}
    assert spec.components[0].env["KEY"] == "canary"
