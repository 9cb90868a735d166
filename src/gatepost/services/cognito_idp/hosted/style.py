"""The style of the hosted pages: one sheet, in the page itself, named by its hash in the content security policy.

Light and dark follow the system. Contrast is 4.5:1 and more in both; what has the focus shows it.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--ground:#eef1f6;--card:#fff;--text:#1a2233;--soft:#566077;--line:#8b94a8;
--accent:#2447c5;--on-accent:#fff;--accent-strong:#1a3596;--bad:#b3152b;--bad-ground:#fdeef0;--good:#14662f;
--good-ground:#e9f7ee;--shadow:0 1px 2px rgba(20,30,60,.08),0 12px 32px rgba(20,30,60,.10)}
@media (prefers-color-scheme:dark){:root{--ground:#10141d;--card:#1a202d;--text:#e9edf5;--soft:#a7b1c6;--line:#77829b;
--accent:#8fa8ff;--on-accent:#0d1430;--accent-strong:#b3c4ff;--bad:#ff9aa6;--bad-ground:#3a1a22;--good:#8fe0a9;
--good-ground:#15301f;--shadow:0 12px 32px rgba(0,0,0,.4)}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;
padding:1.5rem 1rem;background:var(--ground);color:var(--text);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{width:100%;max-width:26rem;background:var(--card);border-radius:1rem;padding:2rem;box-shadow:var(--shadow)}
.brand{display:flex;align-items:center;gap:.625rem;margin:0 0 1.5rem;color:var(--soft);font-weight:600;
overflow-wrap:anywhere}
.mark{flex:none;width:2rem;height:2rem;border-radius:.5rem;background:var(--accent);color:var(--on-accent);
display:grid;place-items:center;font-weight:700}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}
h1+form{margin-top:1.25rem}
.lead{margin:0 0 1.5rem;color:var(--soft);overflow-wrap:anywhere}
label,legend{display:block;font-weight:600;margin:0 0 .25rem}
fieldset{border:0;margin:0 0 1rem;padding:0}
.field{margin:0 0 1.125rem}
.hint{color:var(--soft);font-size:.875rem;margin:.25rem 0 0}
input:not([type=radio]){width:100%;min-height:2.75rem;padding:.5rem .75rem;font:inherit;color:inherit;
background:var(--card);border:1px solid var(--line);border-radius:.5rem}
input[aria-invalid=true]{border:2px solid var(--bad)}
.choice{display:flex;align-items:center;gap:.625rem;min-height:2.75rem;font-weight:400;margin:0}
.choice input{width:1.25rem;height:1.25rem;accent-color:var(--accent)}
.code input{font-size:1.25rem;letter-spacing:.25em;font-variant-numeric:tabular-nums}
button,.button{display:block;width:100%;min-height:2.75rem;padding:.625rem 1rem;font:inherit;font-weight:600;
border:1px solid transparent;border-radius:.5rem;background:var(--accent);color:var(--on-accent);cursor:pointer;
text-align:center;text-decoration:none}
button:hover,.button:hover{background:var(--accent-strong)}
.other{background:transparent;color:var(--accent);border-color:var(--line);margin-top:.75rem}
.other:hover{background:transparent;border-color:var(--accent-strong);color:var(--accent-strong)}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.links{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.5rem 1rem;margin:1.5rem 0 0;padding:0;
list-style:none}
.summary{border:2px solid var(--bad);background:var(--bad-ground);border-radius:.5rem;padding:.75rem 1rem;
margin:0 0 1.25rem}
.summary h2{font-size:1rem;margin:0 0 .25rem;color:var(--bad)}
.summary ul{margin:0;padding-left:1.125rem}
.summary a{color:var(--bad)}
.error{color:var(--bad);font-size:.875rem;margin:.25rem 0 0}
.notice{border:1px solid var(--good);background:var(--good-ground);color:var(--good);border-radius:.5rem;
padding:.625rem 1rem;margin:0 0 1.25rem}
.qr{display:block;width:13rem;max-width:100%;margin:0 auto 1rem;background:#fff;border-radius:.5rem;padding:.5rem}
.qr svg{display:block;width:100%;height:auto}
.secret{font-family:ui-monospace,monospace;overflow-wrap:anywhere;background:var(--ground);border-radius:.5rem;
padding:.5rem .75rem;margin:.25rem 0 1.25rem}
.or{display:flex;align-items:center;gap:.75rem;color:var(--soft);margin:1.25rem 0 .5rem}
.or::before,.or::after{content:"";flex:1;border-top:1px solid var(--line)}
@media (max-width:30rem){body{justify-content:flex-start;padding:0}
main{border-radius:0;box-shadow:none;min-height:100vh;padding:1.5rem 1.25rem}}
@media (forced-colors:active){main,button{border:1px solid}}
"""
