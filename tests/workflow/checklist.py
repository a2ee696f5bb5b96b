"""What EDGELESS does that its users rely on, what attacca does in its place, and the tests that show it."""

from typing import NamedTuple

SAME = "the same"
DOMAIN = "tests/workflow/core/test_domain.py"
DIALECT = "tests/live/test_edgeless.py"
DOORS = "tests/live/test_workflow_doors.py"
FEDERATION = "tests/live/test_federation.py"
KEYS = "tests/workflow/mirror/test_keys.py"
LIVE = "tests/live/test_workflows.py"
MIRROR = "tests/workflow/mirror/test_driver.py"
MODULES = "tests/live/edgeless/modules.py"
PROMISES = "tests/workflow/core/test_promises.py"
RESOURCES = "tests/live/test_workflow_resources.py"
SPECS = "tests/workflow/dialects/edgeless/test_specs.py"
WASM = "tests/live/test_workflow_wasm.py"


class Row(NamedTuple):
    """`here` says what is other than there; `tests` are pytest's names of them."""

    there: str
    here: str
    tests: tuple[str, ...]


def of(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}::test_{name}" for name in names)


ROWS = (
    Row(
        "a start answers with the UUID of the workflow, which is listed until it is stopped; who stops one that is "
        "not there is told nothing else",
        f"{SAME}; ids follow from names, and a stop of what does not exist is an error of `attacca workflow stop`",
        of(DIALECT, "a_workflow_is_started_listed_inspected_and_stopped")
        + of("tests/workflow/core/test_identities.py", "each_follows_from_the_name_and_stays"),
    ),
    Row(
        "a graph may have resources alone, circles, outputs to itself, outputs that lead nowhere or that its class "
        "does not declare",
        f"{SAME} for its files and over gRPC; a `workflow.toml` that says its `channels` is held to them",
        of(PROMISES, "a_graph_may_have_any_shape")
        + of("tests/client/test_edgeless_file.py", "it_is_read_as_it_is")
        + of(SPECS, "what_is_asked_for_comes_back_as_its_tools_show_it"),
    ),
    Row(
        "an output to what is not there: `Invalid workflow creation request`",
        f"{SAME}, also where no domain fits; so are two components of one name, which are both started there",
        of(DIALECT, "what_cannot_be_started_is_told_why_and_leaves_nothing")
        + of(SPECS, "what_is_no_workflow_is_refused_with_why"),
    ),
    Row(
        "no runtime or class anywhere: `Workflow creation failed`; no node for it: `Request rejected`; nothing is "
        "left running",
        f"{SAME}; code that cannot begin is rejected too, with its traceback",
        of(DIALECT, "what_cannot_be_started_is_told_why_and_leaves_nothing")
        + of(LIVE, "code_that_cannot_start_is_refused_with_its_traceback"),
    ),
    Row(
        "`init` comes once for each instance, before any event, with the payload and the state that there is",
        f"{SAME}; the state is there on every node",
        of(PROMISES, "an_instance_begins_with_its_init_and_has_it_once")
        + of("tests/guest/test_instance.py", "it_begins_with_its_payload_or_its_state")
        + of(WASM, "a_trap_ends_the_instance_and_the_next_has_its_state"),
    ),
    Row(
        "one event at a time, those of one sender in their order",
        f"{SAME}, also while it moves, and each once",
        of(DOMAIN, "what_is_sent_arrives_in_order_on_one_node_and_between_two")
        + of(LIVE, "what_moves_goes_on_with_its_state_and_loses_nothing"),
    ),
    Row(
        "a cast to an output that leads nowhere does nothing, `self` leads to itself, and a sender can be answered",
        SAME,
        of(PROMISES, "self_leads_to_itself_and_what_leads_nowhere_to_nobody")
        + of(WASM, "a_module_casts_calls_logs_and_answers"),
    ),
    Row(
        "a call has the reply, none, or an error, as its target says",
        "the same, and an error where nobody replies in time, the target is gone or the output leads nowhere: there "
        "the caller waits for ever or is ended",
        of(DOMAIN, "a_call_has_its_reply_from_wherever_it_is", "a_call_that_nobody_answers_ends_in_time")
        + of(LIVE, "calls_are_answered_or_fail_with_why")
        + of(WASM, "calls_are_answered_or_fail_and_memory_has_an_end"),
    ),
    Row(
        "what is delayed comes no sooner",
        SAME,
        of(PROMISES, "what_is_delayed_comes_no_sooner")
        + of("tests/worker/runtime/wasm/host/test_guest.py", "what_it_sends_goes_where_it_says"),
    ),
    Row(
        "who is stopped ends what it handles and has its `stop` once; a call in which it waits fails",
        f"{SAME}; where it moves, what waits for it is not dropped but goes along",
        of(
            PROMISES,
            "who_is_stopped_ends_what_it_handles_and_is_told_once",
            "who_waits_for_a_reply_when_it_is_stopped_has_an_error_and_its_stop",
        ),
    ),
    Row(
        "what is logged with a target is in Redis, below `performance:PID:TARGET`, after the next refresh, where "
        "samples are taken",
        SAME,
        of("tests/worker/core/test_telemetry.py", "what_is_told_with_a_target_is_an_entry_and_all_of_it_is_bounded")
        + of(KEYS, "samples_are_in_a_list_and_in_a_sorted_set")
        + of(DIALECT, "what_an_instance_does_is_on_a_page_in_its_log_and_in_the_data_sets"),
    ),
    Row(
        "the instances of a node that is gone are new ones elsewhere, of the same logical ids, and who sends to them "
        "is told",
        "the same, with their state, and what its senders had sent is sent again: there both are lost",
        of(PROMISES, "the_death_of_a_node_leaves_what_is_logical_and_all_else_is_new")
        + of(LIVE, "the_death_of_a_node_loses_nothing_whose_sender_lives"),
    ),
    Row(
        "what no node can have is tried again until one joins that can",
        f"{SAME}, with growing pauses",
        of(PROMISES, "what_no_node_can_have_waits_for_one_that_can"),
    ),
    Row(
        "the intents `migrate`, `cordon` and `uncordon` are obeyed in a second; what is none is passed over",
        f"{SAME}, counted and logged; none ends the orchestrator, as a wrong id does there",
        of(MIRROR, "intents_are_taken_in_their_order_and_what_is_none_is_refused")
        + of("tests/workflow/core/test_intents.py", "what_cannot_be_is_refused", "what_is_none_is_refused_with_why")
        + of("tests/live/test_mirror.py", "while_redis_is_gone_the_domain_goes_on_and_then_the_mirror_is_whole"),
    ),
    Row(
        "all labels, any of the nodes, `tee` and `tpm` as `required`; of resources too",
        "the same, and `resource_match_all` of resources, which no node meets there, and `max_instances`, which is "
        "read there and no more",
        of("tests/workflow/core/test_requirements.py", "a_node_fits_or_it_is_said_why_not")
        + of(SPECS, "annotations_say_where_it_may_run")
        + of("tests/workflow/core/test_most.py", "there_are_never_more_of_a_component_than_its_most"),
    ),
    Row(
        "the workflows of a domain that is gone are in another that fits, with their ids, or listed with nothing",
        "the same, with their state as far as the federation had it",
        of(FEDERATION, "they_go_on_elsewhere_when_their_domain_dies", "workflows_are_where_they_fit")
        + of("tests/federation/core/test_federation.py", "a_workflow_is_where_it_fits_or_parked"),
    ),
    Row(
        "a workflow or a component moves to another domain, which the mapping says; each edge between domains adds "
        "four portals to it",
        "it goes on there with its state, and nothing else is stopped; portals are no components, and none is shown",
        of(FEDERATION, "a_component_moves_to_another_domain_and_back")
        + of("tests/federation/core/test_shares.py", "a_component_moves_alone_and_the_rest_stays"),
    ),
    Row(
        "after a restart of the controller workflows are there again by their ids, as domains come back",
        "the same, and nothing that runs is made anew: there all of it is",
        of(LIVE, "nothing_is_made_anew_because_control_was_away", "it_goes_on_after_a_restart_of_the_server")
        + of("tests/federation/core/test_federation.py", "nothing_is_begun_again_because_the_federation_was_away"),
    ),
    Row(
        "`http-ingress` goes by host, method and `wf_id`, to one of those that match; else 404; `async` answers `OK`",
        f"{SAME}, by path too, and `methods` as its documents have it; requests are served side by side",
        of(DOORS, "a_request_becomes_an_event_and_its_reply_the_response", "an_asynchronous_door_answers_at_once")
        + of("tests/workflow/resources/test_http_ingress.py", "a_request_is_told_as_functions_of_edgeless_read_it"),
    ),
    Row(
        "a line of `file-log` has the time and the source where they are asked for; a call is answered with nothing",
        "the same; a source is `INSTANCE@WORKER`, and files stay below a directory of the worker",
        of(
            "tests/workflow/resources/test_runtime.py",
            "a_line_may_have_its_time_and_its_source",
            "a_file_log_has_a_line_for_each_event",
        ),
    ),
    Row(
        "`redis` sets by a cast and gets by a call, with the workflow before the key if wanted; in `sqlx` `$1` is the "
        "workflow; `serverless` answers to `out` or `err`; `file-pusher` goes round its files",
        "the same; calls of all of them are answered, and `sqlx` answers no casts",
        of(RESOURCES, "redis_keeps_values_by_key", "statements_are_run", "files_are_pushed_one_after_the_other")
        + of(RESOURCES, "what_holds_for_all")
        + of("tests/workflow/resources/test_serverless.py", "answers_and_failures_go_to_outputs_of_their_own"),
    ),
    Row(
        "the page for Prometheus has `function_count`, `execution_times` and `transfer_times` by their labels",
        "the same, with finer buckets, and an instance that ends takes its series along",
        of("tests/worker/test_metrics.py", "what_instances_did_is_on_it_under_the_names_of_the_original")
        + of("tests/worker/core/test_telemetry.py", "the_page_counts_those_that_are_there"),
    ),
    Row(
        "keys and values of the mirror in Redis; `last_update` of a kind when it was written",
        "the same in both of its shapes, and nothing of others is flushed",
        of(KEYS, "the_state_is_told_by_the_keys_of_the_newest", "what_was_written_says_when")
        + of(MIRROR, "an_older_run_leaves_nothing_of_it_behind", "domains_with_prefixes_share_a_database")
        + of("tests/workflow/mirror/test_reading.py", "proxy_cli_reads_what_is_written"),
    ),
    Row(
        "five data sets as CSV, with their columns, and columns of one's own before them",
        f"{SAME}; without a `path` there are none",
        of(
            "tests/workflow/test_dataset.py",
            "columns_are_those_of_what_a_node_tells",
            "a_line_has_what_stands_before_it_and_numbers_without_exponents",
            "five_files_are_written_and_gone_on_with",
        ),
    ),
    Row(
        "modules that were compiled for it say, send and answer what they say, send and answer there",
        "the same; where a call or a delayed cast to an output that leads nowhere ends them there, they go on",
        of(
            MODULES, "messaging_test_speaks_in_all_the_ways_that_it_can", "state_test_finds_its_state_where_it_moves"
        )
        + of("tests/worker/runtime/wasm/host/test_guest.py", "the_sequence_is_that_of_edgeless"),
    ),
    Row(
        "a tree of three `system_test` that is given 8 logs 8, 4 and 7",
        SAME,
        of(MODULES, "a_tree_of_system_tests_halves_what_it_is_given"),
    ),
)  # fmt: skip
