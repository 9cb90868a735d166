import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.languages.item_expressions import COMPILED_MAX, Expressions
from gatepost.languages.item_expressions_tree import ExpressionError, UpdateError
from gatepost.languages.item_expressions_words import RESERVED_WORDS

ITEM = {
    "s": {"S": "hello"},
    "n": {"N": "5"},
    "b": {"B": "aGVsbG8="},
    "flag": {"BOOL": True},
    "nothing": {"NULL": True},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": ["aGk="]},
    "l": {"L": [{"S": "zero"}, {"N": "1"}, {"M": {"deep": {"S": "x"}}}]},
    "m": {"M": {"a": {"N": "1"}, "l": {"L": [{"N": "10"}]}}},
}


def holds(text: str, values=None, names=None, item=None) -> bool:
    values = values or {}
    compiled = Expressions().condition("ConditionExpression", text, names or {}, values)
    return compiled.test(ITEM if item is None else item, values)


def refused(text: str, values=None, names=None) -> str:
    with pytest.raises(ExpressionError) as caught:
        Expressions().condition("ConditionExpression", text, names or {}, values or {})
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s = :hello", True),
        (":hello = s", True),
        ("s <> :hello", False),
        ("absent = :hello", False),
        ("absent <> :hello", True),
        ("n < :six", True),
        ("n <= :five", True),
        ("n > :five", False),
        ("n >= :five", True),
        ("s > :five", False),  # of another type
        ("n BETWEEN :five AND :six", True),
        ("n between :six and :six", False),
        ("s IN (:five, :hello)", True),
        ("s in (:five)", False),
        ("absent IN (:five)", False),
        ("attribute_exists(s)", True),
        ("attribute_exists(m.a)", True),
        ("attribute_exists(m.z)", False),
        ("attribute_exists(l[2].deep)", True),
        ("attribute_exists(l[3])", False),
        ("attribute_exists(s.x)", False),
        ("attribute_exists(s[0])", False),
        ("attribute_not_exists(absent)", True),
        ("attribute_type(s, :typeS)", True),
        ("attribute_type(n, :typeS)", False),
        ("attribute_type(absent, :typeS)", False),
        ("begins_with(s, :he)", True),
        ("begins_with(s, :lo)", False),
        ("begins_with(b, :bhe)", True),
        ("begins_with(n, :he)", False),
        ("contains(s, :lo)", True),
        ("contains(ss, :a)", True),
        ("contains(ss, :five)", False),
        ("contains(ns, :one)", True),
        ("contains(l, :one)", True),
        ("contains(l, :a)", False),
        ("contains(b, :bhe)", True),
        ("contains(n, :five)", False),
        ("size(s) = :five", True),
        ("size(l) < :five", True),
        ("size(ss) = :two", True),
        ("size(m) = :two", True),
        ("size(b) = :five", True),
        ("size(n) = :five", False),  # a number has no size
        ("size(absent) = :five", False),
        ("l[1] = :one", True),
        ("m.l[0] > :five", True),
        ("NOT s = :hello", False),
        ("NOT NOT s = :hello", True),
        ("s = :hello AND n = :six", False),
        ("s = :hello OR n = :six AND n = :six", True),
        ("(s = :hello OR n = :six) AND n = :six", False),
        ("NOT n = :six AND s = :hello", True),
        ("NOT (n = :six AND s = :hello)", True),
        ("(s) = (:hello)", True),
        ("flag = :true", True),
        ("nothing = :null", True),
        ("ss = :set", True),
        ("a_1=:five", False),
        ("n<:six", True),
        ("s=:hello\nAND\tn=:five", True),
    ],
)
def test_conditions_mean_what_aws_documents(text: str, expected: bool) -> None:
    values = {
        ":hello": {"S": "hello"},
        ":he": {"S": "he"},
        ":lo": {"S": "lo"},
        ":a": {"S": "a"},
        ":typeS": {"S": "S"},
        ":one": {"N": "1"},
        ":two": {"N": "2"},
        ":five": {"N": "5"},
        ":six": {"N": "6"},
        ":bhe": {"B": "aGU="},
        ":true": {"BOOL": True},
        ":null": {"NULL": True},
        ":set": {"SS": ["a", "b"]},
    }
    assert holds(text, values) is expected


def test_names_stand_for_attributes_whatever_is_in_them() -> None:
    item = {"a.b": {"M": {"size": {"S": "x"}}}}
    assert holds("#ab.#s = :x", {":x": {"S": "x"}}, {"#ab": "a.b", "#s": "size"}, item)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("   ", "The expression can not be empty;"),
        ("a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("a =", 'Syntax error; token: "<EOF>", near: "="'),
        ("a = = :v", 'Syntax error; token: "=", near: "= = :v"'),
        ("a ! :v", 'Syntax error; token: "!", near: "a ! :v"'),
        ("a = :v b", 'Syntax error; token: "b", near: ":v b"'),
        ("(a = :v", 'Syntax error; token: "<EOF>", near: ":v"'),
        ("a[x] = :v", 'Syntax error; token: "x", near: "[x]"'),
        ("a. = :v", 'Syntax error; token: "=", near: ". = :v"'),
        ("AND = :v", 'Syntax error; token: "AND", near: "AND ="'),
        ("size = :v", "Attribute name is a reserved keyword; reserved keyword: size"),
        ("a.Name = :v", "Attribute name is a reserved keyword; reserved keyword: Name"),
        (
            "#n = :v",
            "An expression attribute name used in the document path is not defined; attribute name: #n",
        ),
        ("a = :w", "An expression attribute value used in expression is not defined; attribute value: :w"),
        ("foo(a)", "Invalid function name; function: foo"),
        ("Attribute_exists(a)", "Invalid function name; function: Attribute_exists"),
        (
            "attribute_exists(a, b)",
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, "
            "number of operands: 2",
        ),
        (
            "attribute_exists(:v)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        ("if_not_exists(a, :v)", "The function is not allowed in a condition expression; function: if_not_exists"),
        ("a = if_not_exists(a, :v)", "The function is not allowed in a condition expression; function: if_not_exists"),
        ("size(a)", "The function is not allowed to be used this way in an expression; function: size"),
        (
            "a = attribute_exists(b)",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            "begins_with(a, :n)",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        ("a < :m", "Incorrect operand type for operator or function; operator: <, operand type: M"),
        ("a BETWEEN :m AND :n", "Incorrect operand type for operator or function; operator: BETWEEN, operand type: M"),
        (
            "a BETWEEN :n AND :v",
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: "
            "AttributeValue: {N:1}, upper bound operand: AttributeValue: {S:v}",
        ),
        (
            "a BETWEEN :n AND :z",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound "
            "operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {N:0}",
        ),
        (
            "a = a",
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: =, first operand: [a]",
        ),
        ("((a = :v))", "The expression has redundant parentheses;"),
        (
            "attribute_type(a, :v)",
            "Invalid attribute type name found; type: v, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "size(:n) = :n",
            "Incorrect operand type for operator or function; operator or function: size, operand type: N",
        ),
    ],
)
def test_bad_expressions_are_refused_in_awss_words(text: str, message: str) -> None:
    values = {":v": {"S": "v"}, ":n": {"N": "1"}, ":z": {"N": "0"}, ":m": {"M": {}}}
    assert refused(text, values) == f"Invalid ConditionExpression: {message}"


def test_every_reserved_word_is_refused_in_any_case() -> None:
    assert len(RESERVED_WORDS) == 573
    for word in RESERVED_WORDS - {"AND", "OR", "NOT", "BETWEEN", "IN"}:
        for spelling in (word, word.lower(), word.capitalize()):
            assert "reserved keyword" in refused(f"{spelling} = :v", {":v": {"S": "v"}})


def test_an_expression_has_at_most_4_kb() -> None:
    def text(length: int) -> str:
        return "attribute_exists(" + "a" * (length - 18) + ")"

    assert holds(text(4096), item={"a" * (4096 - 18): {"S": ""}})
    assert refused(text(4097)) == (
        "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size; expression size: 4097"
    )


def test_an_expression_has_at_most_300_operators() -> None:
    def text(operators: int) -> str:
        return "NOT " * operators + "contains(a,:v)"

    values = {":v": {"S": "v"}}
    assert holds(text(300), values, item={"a": {"S": "v"}})
    assert "too many operators" in refused(text(301), values)


def test_a_path_has_at_most_32_elements() -> None:
    assert not holds("attribute_exists(" + ".".join("a" * 1 for _ in range(32)) + ")")
    assert "too many nesting elements" in refused("attribute_exists(" + ".".join("a" for _ in range(33)) + ")")


def test_IN_takes_at_most_100_operands() -> None:
    values = {f":v{i}": {"N": str(i)} for i in range(101)}
    assert holds(f"n IN ({','.join(list(values)[:100])})", values)
    assert "IN" in refused(f"n IN ({','.join(values)})", values)


@pytest.mark.parametrize(
    "text", ["(" * 4000, "NOT " * 1000, "a[" * 1300, "size(" * 800, "a=:v AND " * 400, "a." * 2000]
)
def test_no_text_exhausts_the_stack(text: str) -> None:
    refused(text, {":v": {"S": "v"}})


def updated(text: str, item=None, values=None, names=None):
    values = values or {}
    before = ITEM if item is None else item
    copy = repr(before)
    compiled = Expressions().update(text, names or {}, values)
    after = compiled.plan.apply(before, values)
    assert repr(before) == copy, "an update never changes the item it is given"
    return after


@pytest.mark.parametrize(
    ("text", "attribute", "expected"),
    [
        ("SET n = :one", "n", {"N": "1"}),
        ("SET n = n + :one", "n", {"N": "6"}),
        ("SET n = :one - n", "n", {"N": "-4"}),
        ("SET n = (n + :one)", "n", {"N": "6"}),
        ("SET duplicate = m.a", "duplicate", {"N": "1"}),
        ("SET n = if_not_exists(n, :one)", "n", {"N": "5"}),
        ("SET q = if_not_exists(q, :one) + :one", "q", {"N": "2"}),
        ("SET l = list_append(l, :list)", "l", {"L": [*ITEM["l"]["L"], {"S": "new"}]}),
        ("SET l = list_append(:list, l)", "l", {"L": [{"S": "new"}, *ITEM["l"]["L"]]}),
        ("SET m.z = :one", "m", {"M": {**ITEM["m"]["M"], "z": {"N": "1"}}}),
        ("SET l[0] = :one", "l", {"L": [{"N": "1"}, *ITEM["l"]["L"][1:]]}),
        ("SET l[99] = :one", "l", {"L": [*ITEM["l"]["L"], {"N": "1"}]}),
        ("SET l[9] = n, l[8] = :one", "l", {"L": [*ITEM["l"]["L"], {"N": "1"}, {"N": "5"}]}),
        ("SET m.l[0] = :one, m.a = n", "m", {"M": {"a": {"N": "5"}, "l": {"L": [{"N": "1"}]}}}),
        ("REMOVE n", "n", None),
        ("REMOVE absent", "n", {"N": "5"}),
        ("REMOVE l[0], l[1]", "l", {"L": [ITEM["l"]["L"][2]]}),
        ("REMOVE l[1], l[0], l[7]", "l", {"L": [ITEM["l"]["L"][2]]}),
        ("REMOVE l[0], l[2].deep", "l", {"L": [{"N": "1"}, {"M": {}}]}),
        ("REMOVE m.a", "m", {"M": {"l": ITEM["m"]["M"]["l"]}}),
        ("SET l[0] = :one REMOVE l[1]", "l", {"L": [{"N": "1"}, ITEM["l"]["L"][2]]}),
        ("ADD n :one", "n", {"N": "6"}),
        ("ADD q :one", "q", {"N": "1"}),
        ("ADD ss :set", "ss", {"SS": ["a", "b", "c"]}),
        ("ADD q :set", "q", {"SS": ["b", "c"]}),
        ("ADD m.a :one", "m", {"M": {"a": {"N": "2"}, "l": ITEM["m"]["M"]["l"]}}),
        ("DELETE ss :set", "ss", {"SS": ["a"]}),
        ("DELETE q :set", "q", None),
        ("add n :one set s = n remove flag delete ss :set", "s", {"N": "5"}),
    ],
)
def test_updates_mean_what_aws_documents(text: str, attribute: str, expected) -> None:
    values = {":one": {"N": "1"}, ":list": {"L": [{"S": "new"}]}, ":set": {"SS": ["b", "c"]}}
    assert updated(text, values=values).get(attribute) == expected


def test_a_set_that_loses_its_last_member_goes() -> None:
    assert "ss" not in updated("DELETE ss :all", values={":all": {"SS": ["a", "b", "c"]}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET a = absent", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET a = absent + :n", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET n = s + :n", "An operand in the update expression has an incorrect data type"),
        ("SET l = list_append(s, :l)", "An operand in the update expression has an incorrect data type"),
        ("ADD s :n", "An operand in the update expression has an incorrect data type"),
        ("ADD ns :ss", "An operand in the update expression has an incorrect data type"),
        ("DELETE n :ss", "An operand in the update expression has an incorrect data type"),
        ("SET absent.a = :n", "The document path provided in the update expression is invalid for update"),
        ("SET s.a = :n", "The document path provided in the update expression is invalid for update"),
        ("SET m[0] = :n", "The document path provided in the update expression is invalid for update"),
        ("SET l.a = :n", "The document path provided in the update expression is invalid for update"),
        ("REMOVE absent.a", "The document path provided in the update expression is invalid for update"),
        ("SET l[9].a = :n", "The document path provided in the update expression is invalid for update"),
        ("SET n = n + :big", "Attempting to store more than 38 significant digits in a Number"),
    ],
)
def test_updates_that_do_not_fit_the_item_are_refused(text: str, message: str) -> None:
    values = {":n": {"N": "1"}, ":l": {"L": []}, ":ss": {"SS": ["a"]}, ":big": {"N": "1" + "0" * 100}}
    with pytest.raises(UpdateError) as caught:
        updated(text, values=values)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("SET", 'Syntax error; token: "<EOF>", near: "SET"'),
        ("SET a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("SET a = :n,", 'Syntax error; token: "<EOF>", near: ","'),
        ("a = :n", 'Syntax error; token: "a", near: "a ="'),
        ("SET a = :n SET b = :n", 'The "SET" section can only be used once in an update expression;'),
        ("SET a = a + a + a", 'Syntax error; token: "+", near: "a + a"'),
        ("ADD a b", 'Syntax error; token: "b", near: "a b"'),
        (
            "SET a = :n, a.b = :n",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], "
            "path two: [a, b]",
        ),
        (
            "SET a.b = :n REMOVE a",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], "
            "path two: [a]",
        ),
        (
            "SET a.b = :n, a[0] = :n",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], "
            "path two: [a, [0]]",
        ),
        ("SET a = size(a)", "The function is not allowed in an update expression; function: size"),
        (
            "SET a = :s + :n",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "SET a = list_append(a, :n)",
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: N",
        ),
        (
            "SET a = if_not_exists(:n, a)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET a = if_not_exists(a)",
            "Incorrect number of operands for operator or function; operator or function: if_not_exists, "
            "number of operands: 1",
        ),
        (
            "ADD a :s",
            "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, "
            "typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "DELETE a :n",
            "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, "
            "typeSet: ALLOWED_FOR_DELETE_OPERAND",
        ),
    ],
)
def test_bad_updates_are_refused_in_awss_words(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expressions().update(text, {}, {":n": {"N": "1"}, ":s": {"S": "s"}})
    assert str(caught.value) == f"Invalid UpdateExpression: {message}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s", {"s": {"S": "hello"}}),
        ("s, absent", {"s": {"S": "hello"}}),
        ("m.a", {"m": {"M": {"a": {"N": "1"}}}}),
        ("m.a, m.l[0]", {"m": ITEM["m"]}),
        ("m.z", {}),
        ("l[2].deep, l[0]", {"l": {"L": [{"S": "zero"}, {"M": {"deep": {"S": "x"}}}]}}),
        ("l[7], s[0]", {}),
    ],
)
def test_projections_pick_what_is_there(text: str, expected) -> None:
    assert Expressions().projection(text, {}).projection.pick(ITEM) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a, a", "path one: [a], path two: [a]"),
        ("a.b, a", "path one: [a, b], path two: [a]"),
        ("a,", 'Syntax error; token: "<EOF>", near: ","'),
        ("a b", 'Syntax error; token: "b", near: "a b"'),
        (":v", 'Syntax error; token: ":v", near: ":v"'),
    ],
)
def test_bad_projections_are_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expressions().projection(text, {})
    assert message in str(caught.value)
    assert str(caught.value).startswith("Invalid ProjectionExpression: ")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("pk = :a", [("pk", "=", (":a",))]),
        ("pk = :a AND sk > :b", [("pk", "=", (":a",)), ("sk", ">", (":b",))]),
        ("(sk BETWEEN :a AND :b) AND pk = :a", [("sk", "between", (":a", ":b")), ("pk", "=", (":a",))]),
        ("pk = :a and begins_with(sk, :b)", [("pk", "=", (":a",)), ("sk", "begins_with", (":b",))]),
        (":b < sk AND #p = :a", [("sk", ">", (":b",)), ("pk", "=", (":a",))]),
    ],
)
def test_key_conditions_name_a_condition_for_each_key(text: str, parts) -> None:
    values = {":a": {"S": "a"}, ":b": {"S": "b"}}
    compiled = Expressions().key_condition(text, {"#p": "pk"}, values)
    assert [(part.name, part.operator, part.values) for part in compiled.parts] == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pk = :a OR sk = :b", "Invalid operator used in KeyConditionExpression: OR"),
        ("NOT pk = :a", "Invalid operator used in KeyConditionExpression: NOT"),
        ("pk IN (:a)", "Invalid operator used in KeyConditionExpression: IN"),
        ("pk <> :a", "Invalid operator used in KeyConditionExpression: <>"),
        ("contains(pk, :a)", "Invalid operator used in KeyConditionExpression: contains"),
        ("pk = :a AND pk = :b", "KeyConditionExpressions must only contain one condition per key"),
        ("pk = :a AND sk > :b AND s2 < :b", "KeyConditionExpressions must only contain one condition per key"),
    ],
)
def test_bad_key_conditions_are_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expressions().key_condition(text, {}, {":a": {"S": "a"}, ":b": {"S": "b"}})
    assert message in str(caught.value)


def test_the_cache_is_bounded_and_types_and_names_make_a_difference() -> None:
    expressions = Expressions()
    for i in range(COMPILED_MAX + 50):
        expressions.projection(f"a{i}", {})
    assert len(expressions._compiled) == COMPILED_MAX
    assert expressions.condition("ConditionExpression", "a < :v", {}, {":v": {"N": "1"}})
    with pytest.raises(ExpressionError):
        expressions.condition("ConditionExpression", "a < :v", {}, {":v": {"M": {}}})
    for name in ("x", "y"):
        compiled = expressions.condition("ConditionExpression", "#n = :v", {"#n": name}, {":v": {"N": "1"}})
        assert compiled.test({name: {"N": "1"}}, {":v": {"N": "1"}})


WORDS = [
    "a",
    "s",
    "n",
    "#n",
    ":v",
    ":w",
    "(",
    ")",
    "[",
    "]",
    "0",
    ".",
    ",",
    "=",
    "<>",
    "<",
    "+",
    "-",
    "AND",
    "OR",
    "NOT",
]
WORDS += [
    "BETWEEN",
    "IN",
    "SET",
    "REMOVE",
    "ADD",
    "DELETE",
    "size(",
    "contains(",
    "list_append(",
    "if_not_exists(",
    "size",
    "é",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14), st.sampled_from([" ", ""]))
def test_any_text_is_answered_or_refused(words: list[str], between: str) -> None:
    text = between.join(words)
    values = {":v": {"S": "v"}, ":w": {"N": "2"}}
    names = {"#n": "n"}
    for kind in ("condition", "update", "projection", "key_condition"):
        expressions = Expressions()
        try:
            if kind == "condition":
                expressions.condition("FilterExpression", text, names, values).test(ITEM, values)
            elif kind == "update":
                expressions.update(text, names, values).plan.apply(ITEM, values)
            elif kind == "projection":
                expressions.projection(text, names).projection.pick(ITEM)
            else:
                expressions.key_condition(text, names, values)
        except (ExpressionError, UpdateError):
            pass
