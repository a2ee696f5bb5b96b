from attacca.control.core.access import refuse_host_network


def test_a_function_that_would_be_as_good_as_its_owner_needs_a_token_to_exist() -> None:
    assert refuse_host_network(has_token=True) is None
    refusal = refuse_host_network(has_token=False)
    assert refusal is not None
    assert "ordinary user" in refusal.message
    assert "token create" in refusal.hint
