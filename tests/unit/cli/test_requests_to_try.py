import shlex

from gatepost.cli.requests_to_try import curl_line
from gatepost.templates.extensions import RequestToTry


def test_a_get_is_the_shortest_line():
    request = RequestToTry("Api", "t", "GET", "/products?category=tea&limit=3")
    assert curl_line("http://h/prod", request) == "curl -s 'http://h/prod/products?category=tea&limit=3'"


def test_what_is_in_a_body_survives_the_shell():
    request = RequestToTry("Api", "t", "PUT", "/cart", """{"note": "it's $5; `ls`"}""")
    words = shlex.split(curl_line("http://h/prod", request))
    assert words[words.index("-d") + 1] == request.body
    assert words[words.index("-X") + 1] == "PUT"
