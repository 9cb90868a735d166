// Signs in by code and PKCE. What a page's form sends is sent by hand; everything else is the library's.
// It asks nothing by http unless told to.
import * as oauth from 'oauth4webapi';
const [issuer, client_id, redirect_uri, username, password] = process.argv.slice(2);
const client = { client_id }, none = oauth.None(), http = { [oauth.allowInsecureRequests]: true };
const server = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), http));
const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState(), nonce = oauth.generateRandomNonce();
const address = new URL(server.authorization_endpoint);
for (const [name, value] of Object.entries({ client_id, redirect_uri, state, nonce, response_type: 'code', scope: 'openid email',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' }))
  address.searchParams.set(name, value);

const sent = await fetch(address, { redirect: 'manual' });
const login = new URL(sent.headers.get('location'), address);
const shown = await fetch(login);
const html = await shown.text();
const cookie = shown.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ');
const form = new URLSearchParams({ username, password });
for (const [, field] of html.matchAll(/<input ([^>]*type="hidden"[^>]*)>/g))
  form.set(field.match(/name="([^"]*)"/)[1], field.match(/value="([^"]*)"/)[1].replaceAll('&amp;', '&'));
const action = new URL(html.match(/action="([^"]*)"/)[1].replaceAll('&amp;', '&'), login);
const back = await fetch(action, { method: 'POST', body: form, headers: { cookie }, redirect: 'manual' });
const callback = new URL(back.headers.get('location'));

const seen = {};
try { oauth.validateAuthResponse(server, client, callback, 'another'); } catch (error) { seen.state = error.code; }
const parameters = oauth.validateAuthResponse(server, client, callback, state);
const redeem = (verifier) => oauth.authorizationCodeGrantRequest(server, client, none, parameters, redirect_uri, verifier, http);
const tokens = await oauth.processAuthorizationCodeResponse(server, client, await redeem(verifier),
  { expectedNonce: nonce, requireIdToken: true });
const claims = oauth.getValidatedIdTokenClaims(tokens);
seen.claims = [claims.email, claims.token_use];
const info = await oauth.userInfoRequest(server, client, tokens.access_token, http);
seen.info = (await oauth.processUserInfoResponse(server, client, claims.sub, info)).email;
const again = await oauth.refreshTokenGrantRequest(server, client, none, tokens.refresh_token, http);
const refreshed = await oauth.processRefreshTokenResponse(server, client, again);
seen.refreshed = refreshed.access_token !== tokens.access_token;
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, none, tokens.refresh_token, http));
const replayed = await redeem(verifier);
try { await oauth.processAuthorizationCodeResponse(server, client, replayed); } catch (error) { seen.replayed = error.error; }
const late = await oauth.refreshTokenGrantRequest(server, client, none, tokens.refresh_token, http);
try { await oauth.processRefreshTokenResponse(server, client, late); } catch (error) { seen.revoked = error.error; }
console.log(JSON.stringify(seen));
