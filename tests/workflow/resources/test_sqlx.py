from attacca.workflow.resources.sqlx import asks_for_workflow

ASK = ("SELECT $1 AS id", "SELECT 'it''s $1', $1", "SELECT $$ x $$, $1")
DO_NOT = ("SELECT 'it costs $1'", 'SELECT 1 AS "$1"', "SELECT 1 -- $1", "SELECT /* $1 */ 1", "SELECT $a$ $1 $a$")


def test_the_workflow_is_asked_for_outside_of_texts_only() -> None:
    assert [one for one in (*ASK, *DO_NOT) if asks_for_workflow(one)] == list(ASK)
