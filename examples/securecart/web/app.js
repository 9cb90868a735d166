// The shop's page: signs customers in by code and PKCE at the user pool's hosted pages, shows the shelf and the cart.
// Tokens stay in this tab: sessionStorage. Whoever can run a script on this page has them, so it loads none of others.

const settings = await (await fetch('settings.json')).json();
const here = `${location.origin}/`;
const $ = (id) => document.getElementById(id);
const kept = sessionStorage;

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const money = (cents) => (cents / 100).toFixed(2);
const claims = (token) => JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));

async function signIn() {
  const verifier = random(), state = random(), nonce = random();
  for (const [name, value] of Object.entries({ verifier, state, nonce })) kept.setItem(name, value);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  location.assign(`${settings.signInUrl}/oauth2/authorize?${new URLSearchParams({
    response_type: 'code', client_id: settings.clientId, redirect_uri: here, scope: 'openid profile', state, nonce,
    code_challenge: base64url(digest), code_challenge_method: 'S256' })}`);
}

// What the redirect brought is used once, and taken out of the address before anything else happens.
async function comeBack() {
  const told = new URLSearchParams(location.search);
  if (!told.has('code') && !told.has('error')) return;
  history.replaceState(null, '', '/');
  const [verifier, state, nonce] = ['verifier', 'state', 'nonce'].map((name) => {
    const value = kept.getItem(name);
    kept.removeItem(name);
    return value;
  });
  if (!state || told.get('state') !== state) throw new Error('That sign-in was not begun here');
  if (told.has('error')) throw new Error(told.get('error_description') ?? told.get('error'));
  const answer = await fetch(`${settings.signInUrl}/oauth2/token`, { method: 'POST', body: new URLSearchParams({
    grant_type: 'authorization_code', client_id: settings.clientId, redirect_uri: here, code: told.get('code'),
    code_verifier: verifier }) });
  if (!answer.ok) throw new Error('The sign-in could not be finished');
  const { id_token: token } = await answer.json();
  if (claims(token).nonce !== nonce) throw new Error('That token belongs to another sign-in');
  kept.setItem('token', token);
}

function signOut() {
  kept.clear();
  location.assign(`${settings.signInUrl}/logout?${new URLSearchParams({ client_id: settings.clientId, logout_uri: here })}`);
}

function token() {
  const found = kept.getItem('token');
  return found && claims(found).exp * 1000 > Date.now() ? found : null;
}

async function ask(method, path, body) {
  const headers = { ...(body && { 'Content-Type': 'application/json' }), ...(token() && { Authorization: token() }) };
  const answer = await fetch(settings.apiUrl + path, { method, headers, body: body && JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.message ?? `${answer.status}`);
  return told;
}

function line(text, ...more) {
  const item = document.createElement('li'), span = document.createElement('span');
  span.textContent = text;
  item.append(span, ...more);
  return item;
}

const cartPath = () => `/customers/${claims(token()).sub}/cart`;

function showCart(cart) {
  $('cart').replaceChildren(...cart.lines.map((one) => line(`${one.quantity} × ${one.name}`)));
  $('total').textContent = money(cart.totalCents);
}

async function put(product) {
  try {
    showCart(await ask('PUT', `${cartPath()}/${product.productId}`, { quantity: 1 }));
  } catch (error) {
    $('told').textContent = error.message;
  }
}

async function show() {
  const name = token() && claims(token())['cognito:username'];
  $('who').textContent = name ? `Signed in as ${name}` : 'Not signed in';
  $('sign-in').hidden = Boolean(name);
  $('sign-out').hidden = $('cart-section').hidden = !name;
  const { products } = await ask('GET', '/products?category=coffee&limit=5');
  $('shelf').replaceChildren(...products.map((product) => {
    const button = document.createElement('button');
    button.textContent = 'Into the cart';
    button.hidden = !name;
    button.addEventListener('click', () => put(product));
    return line(`${product.name}, ${money(product.priceCents)}`, button);
  }));
  if (name) showCart(await ask('GET', cartPath()));
}

$('sign-in').addEventListener('click', signIn);
$('sign-out').addEventListener('click', signOut);
try {
  await comeBack();
} catch (error) {
  $('told').textContent = error.message;
}
await show();
