"""Messages by code: what went wrong, why, and what to do. Pure tables of marked messages."""

from typing import Final


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "mark, do not translate yet"
    """Mark a message for the catalogue; it is translated where it is shown."""
    return message


FAULTS: Final[dict[str, str]] = {
    # --- signing in to the console ---
    "wrong_password": N_("That password is not right."),
    "too_many_attempts": N_("Too many attempts."),
    "signed_out": N_("You are signed out."),
    "wrong_setup_token": N_("That setup token is not right, or it has been used."),
    "already_set_up": N_("This console is already set up."),
    "weak_password": N_("That password is too easy to guess."),
    "csrf": N_("The page is out of date."),
    "setup_needed": N_("This console has no administrator yet."),
    "cross_site": N_("Another site asked for this."),
    "host_refused": N_("This console does not answer to that address."),
    "loopback_only": N_("Without a password this console answers its own machine only."),
    "other_user": N_("This console belongs to another user of this machine."),
    "wrong_link": N_("This link has been used already, or it has expired."),
    "wrong_key": N_("This API key is unknown, was revoked, or has expired."),
    "unknown_request": N_("The log has no such request of this key."),
    "unknown_session": N_("There is no such session any more."),
    # --- owners of accounts ---
    "owner_signed_out": N_("This browser has no way in (any more)."),
    "wrong_invitation": N_("This link has been used already, was replaced, or has expired."),
    "administrators_only": N_("This is for the administrator."),
    "consent_needed": N_("You have not agreed yet."),
    "owned_by_other": N_("This account belongs to another owner here."),
    "owner_has_accounts": N_("This owner still has accounts in the pool."),
    "owners_terms": N_("The terms of this account are its owner's."),
    "unknown_owner": N_("There is no such owner."),
    "too_many_owners": N_("There are as many owners as there may be: 500."),
    "auth_json_unproven": N_(
        "This auth.json has no refresh token, so nobody can tell whose it is."
    ),
    "unknown_admin_token": N_("There is no such admin token."),
    "unknown_price": N_("No price was set for this model."),
    "too_many_prices": N_("There are as many prices of your own as there may be: 200."),
    "unknown_destination": N_("There is no such destination of alerts."),
    "too_many_destinations": N_("There are as many destinations as there may be: 20."),
    # --- signing in an account ---
    "login_expired": N_("This login took too long and has expired."),
    "login_unknown": N_("This login is unknown, or it has been used already."),
    "login_other_session": N_("This login was begun in another browser session."),
    "login_pending": N_("The login is not finished yet."),
    "access_denied": N_("The sign-in was cancelled or refused at OpenAI."),
    "login_refused": N_("OpenAI refused the sign-in."),
    "missing_codex_entitlement": N_("This ChatGPT plan or workspace may not use Codex."),
    "authorize_hydra_invalid_request": N_("OpenAI does not accept this console's return address."),
    "exchange_refused": N_("OpenAI refused to exchange the login for tokens."),
    "exchange_forbidden": N_("OpenAI does not let this server exchange the login for tokens."),
    "no_account_in_login": N_("The login names no workspace that could be used."),
    "device_login_disabled": N_("Device login is not enabled for this account."),
    "device_code_expired": N_("The device code has expired."),
    "authorization_unreachable": N_("OpenAI's sign-in server could not be reached."),
    "not_a_callback_url": N_("That is not the address OpenAI sent your browser to."),
    "invalid_auth_json": N_("That is not the content of a Codex auth.json file."),
    "auth_json_api_key": N_("This auth.json holds an API key, not a ChatGPT login."),
    "auth_json_no_tokens": N_("This auth.json holds no tokens."),
    "auth_json_no_access_token": N_("This auth.json holds no access token."),
    "auth_json_unreadable_token": N_("The tokens in this auth.json cannot be read."),
    "auth_json_no_account_id": N_("This auth.json does not say which workspace it is for."),
    "auth_json_expired": N_("This login has ended and cannot be renewed."),
    "invalid_access_token": N_("That is no personal access token of ChatGPT."),
    "access_token_refused": N_("OpenAI does not accept this access token, or not any more."),
    "access_token_names_nobody": N_("OpenAI does not say whose access token this is."),
    "other_identity": N_("You signed in to a different account than the one to renew."),
    # --- an account ---
    "refresh_token_expired": N_("The login of this account has expired."),
    "refresh_token_reused": N_("The login of this account was used by another program."),
    "refresh_token_invalidated": N_("The login of this account was revoked."),
    "invalid_grant": N_("The login of this account is no longer valid."),
    "app_session_terminated": N_("The login of this account was ended."),
    "account_session_expired": N_("The login of this account has expired."),
    "token_expired": N_("The token of this account has expired."),
    "account_deactivated": N_("OpenAI has deactivated this account."),
    "deactivated_workspace": N_("The workspace of this account is deactivated."),
    "usage_limit_reached": N_("The usage limit of this account is reached."),
    "usage_not_included": N_("The plan of this account does not include Codex."),
    "insufficient_quota": N_("This account has no quota left."),
    "rate_limit_exceeded": N_("Too many requests in a short time."),
    "model_substituted": N_("OpenAI answered with another model than was asked for."),
    "server_is_overloaded": N_("OpenAI's servers are overloaded."),
    "unknown_account": N_("There is no such account."),
    "unknown_reset": N_("The account has no such saved reset."),
    "reset_gone": N_("This saved reset has expired, or OpenAI does not know it any more."),
    "reset_already_redeemed": N_("This saved reset has been redeemed already."),
    "nothing_to_reset": N_("There is nothing to reset: nothing of the windows is used."),
    "reset_refused": N_("OpenAI refused to redeem this saved reset."),
    "reset_unconfirmed": N_("OpenAI did not confirm the reset; it may have been redeemed."),
    "resets_unreadable": N_("OpenAI's answer about saved resets cannot be read."),
    # --- the gateway ---
    "key_missing": N_("No API key is filled in."),
    "invalid_api_key": N_("The gateway does not accept this API key."),
    "model_not_found": N_("No account serves this model."),
    "no_models": N_("The account has no models."),
    "pool_spent": N_("No account had quota left or was free just then."),
    "key_limited": N_("A limit of this API key was reached, or its fair share of what is left."),
    "no_accounts": N_("There is no account that could answer."),
    "closed_by_paused": N_("Its owner has paused it."),
    "closed_by_hours": N_("It is outside the hours in which its owner offers it."),
    "closed_by_share": N_("What is left of its quota is its owner's share."),
    "closed_by_reading": N_("Its owner keeps a share, and its quota has not been read yet."),
    "closed_by_unreadable": N_("Its owner's terms cannot be read by this version."),
    "accounts_closed": N_("The owners of all accounts that could answer do not offer them now."),
    "context_length_exceeded": N_("The conversation is longer than the model can read."),
    "store_unavailable": N_("Redis does not answer."),
    "what_if_unavailable": N_("The last weeks could not be replayed in time."),
    "store_full": N_("Redis saves nothing: its disk or its memory is full."),
    "store_read_only": N_("Redis takes no writes."),
    "store_refused": N_("Redis refuses this server's login, or a command."),
    "store_loading": N_("Redis is loading its data."),
    "server_overloaded": N_("The gateway is busy or restarting."),
    "upstream_unreachable": N_("OpenAI could not be reached."),
    "proxy_failed": N_("The proxy on the way to OpenAI fails."),
    "upstream_timeout": N_("OpenAI did not answer in time."),
    "upstream_stream_truncated": N_("The answer broke off."),
    "upstream_empty_answer": N_("The answer was empty."),
    "credential_unavailable": N_("The account's token could not be renewed just now."),
    "credential_locked": N_(
        "The login kept for this account is sealed under an encryption key this server lacks."
    ),
    "credential_revoked": N_("The login of this account is no longer valid."),
    "server_error": N_("OpenAI's servers failed."),
    "egress_refused": N_("OpenAI does not let this server through."),
    # --- the console itself ---
    "unknown_key": N_("There is no such API key."),
    "key_revoked": N_("This API key is revoked."),
    "nothing_to_undo": N_("There is nothing left to undo."),
    "method_not_allowed": N_("That cannot be done here."),
    "request_timeout": N_("The request did not arrive in time."),
    "request_too_large": N_("That is too large."),
    "request_head_too_large": N_("The request has too many or too large headers."),
    "malformed_http": N_("What came is not an HTTP/1.1 request."),
    "unsupported_media_type": N_("That is not JSON."),
    "too_many_streams": N_("Too many pages of this console are open."),
    "other_host": N_("This page cannot reach the gateway, because it has another address."),
    "invalid_value": N_("A value is not valid."),
    "not_found": N_("There is no such page or object."),
    "offline": N_("The console does not answer."),
    "internal": N_("Something went wrong in the console."),
    # --- the way to OpenAI ---
    "host_unresolved": N_("The name cannot be resolved."),
    "tcp_refused": N_("The connection is refused."),
    "tcp_timeout": N_("Nothing answers at this address."),
    "tcp_unreachable": N_("There is no way to this address."),
    "tls_untrusted": N_("The certificate cannot be trusted."),
    "tls_failed": N_("What answers there speaks no TLS."),
    "tls_timeout": N_("The TLS handshake does not end."),
    "http_broken": N_("What answers there speaks no HTTP."),
    "proxy_unknown": N_("The proxy's name cannot be resolved."),
    "proxy_unreachable": N_("The proxy cannot be connected to."),
    "proxy_password": N_("The proxy refuses user or password."),
    "proxy_tls": N_("TLS with the proxy fails."),
    "proxy_kind": N_("What answers there is no proxy of this kind."),
    "proxy_refused": N_("The proxy does not let the connection through."),
    "proxy_timeout": N_("The proxy does not answer in time."),
}
"""What happened, by error code."""

CURES: Final[dict[str, str]] = {
    "wrong_password": N_(
        "Try again. Reset a forgotten one on the server with “codex-proapi admin password”."
    ),
    "too_many_attempts": N_("Wait as long as Retry-After says, then try again."),
    "signed_out": N_("Sign in again; this page stays as it is."),
    "wrong_setup_token": N_("The token is in the log of the console's last start."),
    "already_set_up": N_("Sign in with the administrator's password."),
    "weak_password": N_("Use at least 12 characters that are no common password."),
    "csrf": N_("Reload the page, then try again."),
    "setup_needed": N_("Set the administrator's password first."),
    "cross_site": N_("Open the console itself and try again there."),
    "host_refused": N_("Use the address of PUBLIC_URL, or add this one to ALLOWED_HOSTS."),
    "loopback_only": N_("Open it on that machine, or set ADMIN_PASSWORD."),
    "other_user": N_(
        "If it is yours, run “codex-proapi admin link” as the user that started it: it prints a"
        " link that signs you in once."
    ),
    "wrong_link": N_("“codex-proapi admin link” prints a new one."),
    "wrong_key": N_("Paste the whole key, from “cpa-” on; the administrator can make a new one."),
    "unknown_request": N_(
        "A request is there some seconds after its end, and as long as the log has it."
    ),
    "owner_signed_out": N_("Ask your administrator for a new link."),
    "wrong_invitation": N_("Ask your administrator for a new one."),
    "administrators_only": N_("Your own accounts are on your own page."),
    "consent_needed": N_("Read the wording and agree to it, then sign the account in."),
    "owned_by_other": N_("Its owner, or the administrator, must take it out of the pool first."),
    "owner_has_accounts": N_("Remove those accounts first."),
    "owners_terms": N_("You can pause or remove the account; ask its owner to change the terms."),
    "unknown_owner": N_("Reload the page."),
    "auth_json_unproven": N_("Use the device code or paste the address."),
    "login_expired": N_("Begin the login again; you have ten minutes."),
    "login_unknown": N_("Begin the login again and use the newest link."),
    "login_other_session": N_("Begin the login again in this browser."),
    "access_denied": N_("Begin again and choose the account that may use Codex."),
    "login_refused": N_("Begin again; if it stays, use another way to sign in."),
    "missing_codex_entitlement": N_(
        "Ask the workspace's administrator to allow Codex, or sign in with another account."
    ),
    "authorize_hydra_invalid_request": N_(
        "Use the device code or paste the callback address: both work from everywhere."
    ),
    "exchange_refused": N_("Begin the login again. A code can be used only once."),
    "exchange_forbidden": N_(
        "Its address or country may be refused: sign in with the Codex CLI elsewhere and bring the"
        " auth.json."
    ),
    "no_account_in_login": N_("Sign in again and choose a workspace, or use another account."),
    "device_login_disabled": N_("Switch it on in ChatGPT's security settings, or use another way."),
    "device_code_expired": N_("Get a new code."),
    "authorization_unreachable": N_("Check the server's connection to auth.openai.com."),
    "not_a_callback_url": N_(
        "Copy the whole address from the address bar; it begins with"
        " http://localhost:1455/auth/callback?code="
    ),
    "invalid_auth_json": N_("Paste the whole file ~/.codex/auth.json of a signed-in Codex."),
    "auth_json_api_key": N_("Run “codex login”, sign in with ChatGPT, and bring the file again."),
    "auth_json_no_tokens": N_("Run “codex login” with ChatGPT, and bring the file again."),
    "auth_json_no_access_token": N_("Run “codex login” with ChatGPT, and bring the file again."),
    "auth_json_unreadable_token": N_("Run “codex login” with ChatGPT, and bring the file again."),
    "auth_json_no_account_id": N_("Run “codex login” with ChatGPT, and bring the file again."),
    "auth_json_expired": N_("Run “codex login” with ChatGPT, and bring the file again."),
    "invalid_access_token": N_("It begins with at- and has no spaces: copy the whole of it."),
    "access_token_refused": N_(
        "Make a new one in ChatGPT and replace it here; the workspace's owner must allow access"
        " tokens."
    ),
    "access_token_names_nobody": N_("Make another token, or sign in in another way."),
    "other_identity": N_("Sign in with the account named here, or add the other one as new."),
    "refresh_token_expired": N_("Sign in again; name, history and keys stay."),
    "refresh_token_reused": N_(
        "Sign in again here, and do not use the same auth.json in two programs."
    ),
    "refresh_token_invalidated": N_("Sign in again; name, history and keys stay."),
    "invalid_grant": N_("Sign in again; name, history and keys stay."),
    "app_session_terminated": N_("Sign in again; name, history and keys stay."),
    "account_session_expired": N_("Sign in again; name, history and keys stay."),
    "token_expired": N_("Sign in again; name, history and keys stay."),
    "account_deactivated": N_("Ask OpenAI's support, or remove the account."),
    "deactivated_workspace": N_("Ask the workspace's administrator, or remove the account."),
    "usage_limit_reached": N_("It comes back by itself when the window resets."),
    "usage_not_included": N_("Upgrade the plan, or remove the account."),
    "insufficient_quota": N_("It comes back by itself when the window resets."),
    "rate_limit_exceeded": N_("It is asked again by itself in a moment."),
    "model_substituted": N_("It is passed over for a while; it comes back by itself."),
    "server_is_overloaded": N_("Nothing to do: the next account is asked."),
    "key_missing": N_("Paste one into the field API key, or create one."),
    "no_models": N_("Check its plan and workspace."),
    "invalid_api_key": N_("Create a key on the page API keys, or check for a typing error."),
    "model_not_found": N_("Choose one of the models on the page Models."),
    "pool_spent": N_("The page Accounts says when the first one comes back."),
    "key_limited": N_("The page API keys shows what it may use, and changes it."),
    "no_accounts": N_("Add an account, or resume a paused one."),
    "closed_by_paused": N_("Its owner resumes it."),
    "closed_by_hours": N_("It comes back by itself when they begin."),
    "closed_by_share": N_("It comes back by itself when the window resets."),
    "closed_by_reading": N_("The gateway asks OpenAI for it within a minute."),
    "closed_by_unreadable": N_("Finish the upgrade."),
    "accounts_closed": N_("Wait for the owners' hours, or ask an owner for more."),
    "context_length_exceeded": N_("Begin a new conversation, or let the client compact it."),
    "store_full": N_(
        "Make room on its disk or raise its maxmemory; what is there can be read meanwhile."
    ),
    "store_read_only": N_(
        "It is a replica, or too few replicas follow it (min-replicas-to-write). Check that"
        " REDIS_URL leads to the master; what is there can be read meanwhile."
    ),
    "store_refused": N_("Check user and password in REDIS_URL, and what the user may do (ACL)."),
    "store_loading": N_("Try again in a moment."),
    "what_if_unavailable": N_("Try again when the machine has less to do."),
    "store_unavailable": N_("Check that Redis runs and that REDIS_URL is right."),
    "server_overloaded": N_("Try again in a moment."),
    "credential_unavailable": N_("Try again in a moment; if it stays, sign in again."),
    "credential_locked": N_(
        "Give the server that key (ENCRYPTION_KEYS). If it is lost, remove the account and add it"
        " again."
    ),
    "credential_revoked": N_("Sign in again; name, history and keys stay."),
    "server_error": N_("Try again; if it stays, look at status.openai.com."),
    "egress_refused": N_("Its address or country may be refused; use another way out."),
    "key_revoked": N_("Create a new key."),
    "request_timeout": N_("Send it again."),
    "request_head_too_large": N_("Send fewer; in a browser, delete the cookies of this host."),
    "too_many_streams": N_("Close some of them."),
    "other_host": N_("Send the request from a terminal with the snippet above."),
    "unknown_reset": N_("Load the list again."),
    "reset_gone": N_("Load the list again."),
    "reset_already_redeemed": N_("Load the list again."),
    "nothing_to_reset": N_("It is still there: keep it for later."),
    "reset_refused": N_("Try again later; if it stays, redeem it in the Codex app."),
    "reset_unconfirmed": N_(
        "Try again: the same request is repeated, so it is redeemed only once."
    ),
    "resets_unreadable": N_("Try again later; the Codex app shows them too."),
    "unknown_account": N_("Reload the page; somebody may have removed it."),
    "upstream_unreachable": N_("Check the server's connection to chatgpt.com."),
    "proxy_failed": N_("Check UPSTREAM_PROXY, and what the proxy allows."),
    "upstream_timeout": N_("Try again; if it stays, look at status.openai.com."),
    "host_unresolved": N_(
        "Check this server's DNS; where only a proxy leads out, name it in UPSTREAM_PROXY."
    ),
    "tcp_refused": N_("Let this server out to that address and port, or name a proxy."),
    "tcp_timeout": N_(
        "A firewall drops it: let this server out to port 443, or name a proxy in UPSTREAM_PROXY."
    ),
    "tcp_unreachable": N_("Check this server's network and its default route."),
    "tls_untrusted": N_(
        "Let NTP set the clock; where a firewall opens TLS, name a file with its authority in"
        " SSL_CERT_FILE."
    ),
    "tls_failed": N_("A firewall, or a proxy to be named, speaks there in the server's place."),
    "tls_timeout": N_("A firewall holds TLS back: allow this host, or name a proxy."),
    "http_broken": N_("A firewall, or a proxy to be named, speaks there in the server's place."),
    "proxy_unknown": N_("Check the proxy's name in UPSTREAM_PROXY, and this server's DNS."),
    "proxy_unreachable": N_(
        "Check the proxy's address and port in UPSTREAM_PROXY, and that it runs."
    ),
    "proxy_password": N_(
        "Check user and password in UPSTREAM_PROXY; special characters are percent-encoded."
    ),
    "proxy_tls": N_(
        "Write http:// if the proxy speaks no TLS; its own authority goes into SSL_CERT_FILE."
    ),
    "proxy_kind": N_("Write its kind as it is: http://, https:// or socks5://."),
    "proxy_refused": N_("Have the proxy allow CONNECT, or SOCKS, to this host on port 443."),
    "proxy_timeout": N_("Check that the proxy can reach this host, and that its kind is right."),
    "offline": N_("Check that it runs; the page tries again by itself."),
    "internal": N_("Try again. If it stays, look for the request id in the console's log."),
}
"""What to do about it, by error code; a code without a row needs nothing done."""
