"""Messages for codes in the log and the audit: events, verdicts, endings, selection reasons."""

from typing import Final

from codex_proapi.console.texts.phrases import N_

EVENTS: Final[dict[str, str]] = {
    "exchange.settled": N_("Request"),
    "account.added": N_("Account added"),
    "account.renewed": N_("Account signed in again"),
    "account.resealed": N_("Logins sealed under the first encryption key"),
    "account.changed": N_("Account changed"),
    "account.paused": N_("Account paused"),
    "account.resumed": N_("Account resumed"),
    "account.removed": N_("Account removed"),
    "account.used_again": N_("Account is asked again"),
    "account.tested": N_("Account tested"),
    "account.refreshed": N_("Token of an account renewed"),
    "account.exported": N_("Login exported"),
    "account.cooled": N_("Account cools down"),
    "account.revoked": N_("Account must sign in again"),
    "account.deactivated": N_("Account disabled by OpenAI"),
    "credential.refreshed": N_("Token renewed"),
    "credential.revoked": N_("Login no longer accepted"),
    "login.finished": N_("Account signed in"),
    "login.failed": N_("Sign-in of an account failed"),
    "account.terms_changed": N_("Terms of an account changed"),
    "account.paused_by_owner": N_("Account paused by its owner"),
    "account.resumed_by_owner": N_("Account resumed by its owner"),
    "account.left": N_("Account taken out of the pool by its owner"),
    "owner.added": N_("Owner added"),
    "owner.renamed": N_("Owner renamed"),
    "owner.invited": N_("Link for an owner made"),
    "owner.entered": N_("Owner came in with a link"),
    "owner.entry_refused": N_("Link of an owner refused"),
    "owner.session_ended": N_("Owner signed out by the administrator"),
    "owner.signed_out": N_("Owner signed out"),
    "owner.removed": N_("Owner removed"),
    "key.made": N_("API key created"),
    "key.changed": N_("API key changed"),
    "key.rotated": N_("API key rotated"),
    "key.revoked": N_("API key revoked"),
    "key.removed": N_("API key deleted"),
    "key.signed_in": N_("Holder of an API key signed in"),
    "key.sign_in_refused": N_("Sign-in with an API key refused"),
    "key.refused": N_("API key refused"),
    "store.backed_up": N_("Backup written"),
    "store.restored": N_("Backup restored"),
    "store.migrated": N_("Moved here from another store"),
    "settings.changed": N_("Settings changed"),
    "price.set": N_("List price set"),
    "price.reset": N_("List price reset"),
    "alert.destination_made": N_("Destination of alerts added"),
    "alert.destination_changed": N_("Destination of alerts changed"),
    "alert.destination_removed": N_("Destination of alerts deleted"),
    "alert.destination_tested": N_("Destination of alerts tried"),
    "log.cleared": N_("Log cleared"),
    "log.restored": N_("Log restored"),
    "admin.set_up": N_("Console set up"),
    "admin.setup_refused": N_("Setup refused"),
    "admin.signed_in": N_("Administrator signed in"),
    "admin.signed_out": N_("Administrator signed out"),
    "admin.signed_out_everywhere": N_("Signed out everywhere"),
    "admin.session_ended": N_("Session ended"),
    "admin.sign_in_refused": N_("Sign-in refused"),
    "admin.password_changed": N_("Password changed"),
    "admin.password_refused": N_("Change of password refused"),
    "admin.link_made": N_("One-time sign-in link printed"),
    "admin.token_made": N_("Admin token created"),
    "admin.token_revoked": N_("Admin token revoked"),
}
"""Facts in the past, by their names in log and audit."""

VERDICTS: Final[dict[str, str]] = {
    "committed": N_("answered"),
    "same_account_fresh": N_("token renewed, same account again"),
    "same_account_again": N_("changed, same account again"),
    "next_account": N_("next account"),
    "give_up": N_("given up"),
}
"""What followed from an attempt."""

ENDINGS: Final[dict[str, str]] = {
    "whole": N_("complete answer"),
    "short": N_("cut by OpenAI (length or filter)"),
    "refused": N_("refused before the first word"),
    "broken": N_("broke off after the first word"),
    "abandoned": N_("the client left"),
}
"""How a request ended."""

CHOICES: Final[dict[str, str]] = {
    "affinity": N_("chosen because the conversation was there before"),
    "round robin": N_("chosen because it was next in turn"),
    "least used": N_("chosen because it has most left"),
    "soonest reset": N_("chosen because its window resets soonest"),
    "last account left, despite faults": N_("chosen as the last one left, despite faults"),
    "renewed credential": N_("asked again with a renewed token"),
}
"""Why an account was chosen."""

REPAIRS: Final[dict[str, str]] = {
    "new_connection": N_("sent again on a new connection"),
    "nothing": N_("sent again after a pause"),
    "credential": N_("sent again with a renewed token"),
    "without_encrypted": N_("sent again without reasoning that only another account can read"),
    "other_shape": N_("sent again in the other of two request shapes"),
    "without_parameter": N_("sent again without the parameter that was refused"),
    "without_tier": N_("sent again without a service tier"),
    "without_tool_search": N_("sent again with the tool search as a function"),
}
"""What was changed of a request before the next attempt, by `gateway.policy.retry.Change`."""

FIELDS: Final[dict[str, str]] = {
    "actor": N_("By"),
    "ip": N_("From"),
    "name": N_("Name"),
    "owner": N_("Owner"),
    "group": N_("Group"),
    "hours": N_("Hours"),
    "reserved_percent": N_("Stays the owner's"),
    "key_groups": N_("Key groups"),
    "keys": N_("Keys"),
    "expires_at": N_("Expires"),
    "prefix": N_("Begins with"),
    "id": N_("Id"),
    "plan": N_("Plan"),
    "source": N_("Added by"),
    "weight": N_("Share"),
    "paused": N_("Paused"),
    "passed": N_("Passed"),
    "answer": N_("With an answer"),
    "reason": N_("Reason"),
    "way": N_("Way"),
    "resealed": N_("Sealed again"),
    "known": N_("Accounts"),
    "records": N_("Records"),
    "price": N_("Price"),
    "host": N_("Host"),
    "tries": N_("Tries"),
    "sessions": N_("Sessions"),
    "session": N_("Session"),
    "overlap_seconds": N_("Old secret stays valid for"),
    "limits": N_("Limits"),
    "allowed_models": N_("Models"),
    "allowed_accounts": N_("Accounts"),
    "default_model": N_("Default model"),
    "default_effort": N_("Default effort"),
    "reasoning_summary": N_("Reasoning summary"),
    "answered_model": N_("Model that answered"),
    "max_effort": N_("Highest effort"),
    "fast_tier": N_("Fast tier"),
    "model_fallbacks": N_("Model fallbacks"),
    "small_work_models": N_("Models for small work"),
    "login_revoked": N_("Login revoked"),
    "routing": N_("Which account is asked"),
    "quota_reserve": N_("Reserve"),
    "account_streams": N_("Concurrent requests per account"),
    "api_key_policy": N_("API keys"),
    "history_mode": N_("How the history is sent"),
    "model_aliases": N_("Model aliases"),
    "usage_days": N_("Days of usage"),
    "usage_months": N_("Months of usage"),
    "log_entries": N_("Entries of the log"),
    "time_zone": N_("Time zone"),
    "model_substitution": N_("When another model answers"),
    "disabled_models": N_("Models not offered"),
    "quota_poll_seconds": N_("Seconds between quota checks"),
    "fair_share_below": N_("Fair sharing below"),
    "alert_window_percent": N_("Percent left of a quota window"),
    "alert_backup_days": N_("Days since the last backup"),
}
"""What a fact beside an event is; a name that is not here stays as it is."""

ACTORS: Final[dict[str, str]] = {
    "admin": N_("administrator"),
    "local": N_("this machine"),
    "cli": N_("command line"),
    "nobody": N_("not signed in"),
}
"""Who did it; a script token is `token:` and its name."""

REFUSED_KEYS: Final[dict[str, str]] = {
    "missing": N_("no key was sent"),
    "foreign": N_("a key of another service"),
    "unknown": N_("no such key is known here"),
    "ended": N_("revoked or expired"),
}
"""What was wrong with a refused key."""
