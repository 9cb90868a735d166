from gatepost.templates.problems import PROBLEMS_MAX, Problem, TemplateRefused


def test_problems_come_in_the_order_of_their_lines_and_each_once():
    late, early = Problem("is wrong", "t.yaml", 9, 1, "Resources/B"), Problem("is wrong", "t.yaml", 3, 1, "Resources/A")
    refused = str(TemplateRefused([late, early, late]))
    assert refused == "t.yaml:3: Resources/A: is wrong\nt.yaml:9: Resources/B: is wrong"


def test_more_problems_than_a_person_reads_are_counted():
    refused = str(TemplateRefused([Problem(f"p{number}") for number in range(PROBLEMS_MAX + 5)]))
    assert refused.splitlines()[-1] == "… and 5 more"
