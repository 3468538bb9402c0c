"""Where pods may run, whatever they choose and tolerate. The real scheduler is asked the same in `controlplane`."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eksml.checks.nodes import Node
from eksml.checks.scheduling import is_chosen, is_tolerated, may_run
from placements import EXPRESSION, KEYS, NODE, POD, TAINT, TERM, TOLERATION, VALUES, affinity

Pod = dict[str, Any]


@given(pod=POD, node=NODE)
def test_a_pod_without_a_wish_that_tolerates_everything_runs_anywhere(pod: Pod, node: Node) -> None:
    assert may_run({"tolerations": [*pod.get("tolerations", []), {"operator": "Exists"}]}, node)


@given(pod=POD, node=NODE, toleration=TOLERATION)
def test_one_more_toleration_takes_no_node_away(pod: Pod, node: Node, toleration: dict[str, str]) -> None:
    assert may_run(pod | {"tolerations": [*pod.get("tolerations", []), toleration]}, node) >= may_run(pod, node)


@given(pod=POD, node=NODE, taint=TAINT)
def test_one_more_taint_lets_no_pod_in(pod: Pod, node: Node, taint: dict[str, str]) -> None:
    assert may_run(pod, replace(node, taints=(*node.taints, taint))) <= may_run(pod, node)


@given(pod=POD, node=NODE, taint=TAINT)
def test_a_preference_keeps_no_pod_off(pod: Pod, node: Node, taint: dict[str, str]) -> None:
    preferred = {**taint, "effect": "PreferNoSchedule"}
    assert is_tolerated(pod, replace(node, taints=(*node.taints, preferred))) == is_tolerated(pod, node)


@given(node=NODE, term=TERM, expression=EXPRESSION)
def test_one_more_expression_that_must_hold_leads_to_no_more_nodes(
    node: Node, term: dict[str, Any], expression: dict[str, Any]
) -> None:
    # A term without any leads nowhere.
    narrower = term | {"matchExpressions": [*term.get("matchExpressions", []), expression]}
    if any(term.values()):
        assert is_chosen({"affinity": affinity([narrower])}, node) <= is_chosen({"affinity": affinity([term])}, node)


@given(node=NODE, terms=st.lists(TERM, min_size=1, max_size=3))
def test_any_of_several_terms_is_enough(node: Node, terms: list[dict[str, Any]]) -> None:
    each = [is_chosen({"affinity": affinity([term])}, node) for term in terms]
    assert is_chosen({"affinity": affinity(terms)}, node) == any(each)


@given(node=NODE, key=st.sampled_from(KEYS), values=st.lists(st.sampled_from(VALUES), min_size=1))
def test_an_operator_and_its_opposite_part_the_nodes(node: Node, key: str, values: list[str]) -> None:
    def holds(operator: str, *given_values: str) -> bool:
        expression = {"key": key, "operator": operator, "values": list(given_values)}
        return is_chosen({"affinity": affinity([{"matchExpressions": [expression]}])}, node)

    assert holds("In", *values) != holds("NotIn", *values)
    assert holds("Exists") != holds("DoesNotExist")
    assert not (holds("Gt", values[0]) and holds("Lt", values[0]))


@given(node=NODE, key=st.sampled_from(KEYS), value=st.sampled_from(VALUES))
def test_a_selector_is_an_affinity_to_one_value(node: Node, key: str, value: str) -> None:
    expression = {"key": key, "operator": "In", "values": [value]}
    selected = is_chosen({"nodeSelector": {key: value}}, node)
    assert selected == is_chosen({"affinity": affinity([{"matchExpressions": [expression]}])}, node)


@given(pod=POD, node=NODE)
def test_choice_and_toleration_are_asked_apart(pod: Pod, node: Node) -> None:
    bare = replace(node, taints=())
    assert may_run(pod, bare) == is_chosen(pod, node)
    assert may_run(pod, node) == (is_chosen(pod, node) and is_tolerated(pod, node))
