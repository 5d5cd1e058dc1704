"""Every Redis key and its lifetime, one function each; a test compares them with docs/redis.md.

All keys share one hash tag, so they live in one slot of a Redis Cluster and any script may use any
of them; the tag also lets the product share a Redis with others.
"""

TAG = "{codex-proapi}"

DAY = 86_400
"""Seconds of a day."""

REFRESH_LOCK_SECONDS = 30
"""Lifetime of a refresh lock; its holder renews it while the token call is under way."""
AFFINITY_SECONDS = 2 * 3600
"""How long a quiet conversation stays tied to its account."""
RESPONSE_SECONDS = 6 * 3600
"""How long a stored response can be continued by `previous_response_id`."""
SETTLED_SECONDS = 2 * 3600
"""How long a settled exchange's id is remembered after the last one of its hour, to count it once."""
USAGE_DAYS = 400
"""How long usage counters are kept after their day, unless the settings say something else."""
USAGE_MONTHS = 36
"""How long sums of months are kept, unless the settings say something else; never shorter than the days."""
ROLL_UP_SECONDS = 60
"""Lifetime of the roll-up's lock; its holder renews it while it works."""
SERIES_SECONDS = 9 * DAY
"""How long the counters behind the charts are kept."""
CLEARED_LOGS_SECONDS = 600
"""How long clearing the log can be undone."""
REFUSED_GRANT_SECONDS = 30 * DAY
"""How long the verdict on a refresh token is remembered."""
FAULTS_SECONDS = 3600
"""How long faults count as consecutive."""
REPLICA_SECONDS = 30
"""How long after its last beat a replica counts as alive."""
PROMISE_SECONDS = 300
"""How long a conversation follows an account that has not answered it yet."""
PROBE_SECONDS = 60
"""How long a probe may take before another one is made."""
LIMIT_SECONDS = 120
"""How long what limits count is kept without a request; a minute counts."""
SLOT_SECONDS = 90
"""How long the set of slots is kept without a request."""
QUEUE_SECONDS = 120
"""How long the queue for slots is kept without a request."""
FAIR_SHARES_SECONDS = 600
"""How long shares of a scarce pool are kept without a request."""
WAKE_SECONDS = 60
"""How long a wake waits for its replica."""
SIGN_IN_LINK_SECONDS = 600
"""How long a printed sign-in link can be used."""
RESTORE_SECONDS = DAY
"""How long a restore that was interrupted leaves what it has staged."""
PENDING_LOGIN_SECONDS = 600
"""How long a login may take."""


def schema() -> str:
    """Hash: version of what is stored, and the least version that may run on it; no expiry."""
    return f"{TAG}:schema"


def seal() -> str:
    """String: a known text, encrypted; only the right ENCRYPTION_KEYS open it; no expiry."""
    return f"{TAG}:seal"


def restore() -> str:
    """String: the id of the restore that is being staged; RESTORE_SECONDS."""
    return f"{TAG}:restore"


def restore_plan(restore_id: str) -> str:
    """Hash of what a restore will do with each name; RESTORE_SECONDS."""
    return f"{TAG}:restore-plan:{restore_id}"


def restored_record(restore_id: str, name: str) -> str:
    """Prefix of staged values, of any type: one that a restore gives this name; RESTORE_SECONDS."""
    return f"{TAG}:restoring:{restore_id}:{name}"


def accounts() -> str:
    """Set of account ids; no expiry."""
    return f"{TAG}:accounts"


def accounts_version() -> str:
    """Counter of changes to any account or credential; no expiry."""
    return f"{TAG}:accounts-version"


def account(account_id: str) -> str:
    """Hash of one account; no expiry."""
    return f"{TAG}:account:{account_id}"


def credential(account_id: str) -> str:
    """Hash `generation`, `sealed` (encrypted JSON), digests `token` and `spent`; no expiry."""
    return f"{TAG}:credential:{account_id}"


def refresh_lock(account_id: str) -> str:
    """String with the owner's token; REFRESH_LOCK_SECONDS."""
    return f"{TAG}:refresh-lock:{account_id}"


def refused_grant(digest: str) -> str:
    """String: why a refresh token (by its digest) was refused for good; REFUSED_GRANT_SECONDS."""
    return f"{TAG}:refused-grant:{digest}"


def refresh_pause(account_id: str) -> str:
    """String: a refresh failed for now, no replica tries again; some seconds."""
    return f"{TAG}:refresh-pause:{account_id}"


def cooldowns() -> str:
    """Hash of JSON Cooldowns by `account`, or `account:model`; entries go when they have ended."""
    return f"{TAG}:cooldowns"


def cooldowns_version() -> str:
    """Counter of changes to cooldowns; no expiry."""
    return f"{TAG}:cooldowns-version"


def faults(account_id: str) -> str:
    """Counter of consecutive transient faults of an account; one hour."""
    return f"{TAG}:faults:{account_id}"


def cursor() -> str:
    """Counter: the shared position of the round robin; no expiry."""
    return f"{TAG}:cursor"


def affinity(fingerprint: str) -> str:
    """String: the account a conversation is tied to, or with a `~` before it promised to.

    AFFINITY_SECONDS, renewed by each turn; a promise PROMISE_SECONDS.
    """
    return f"{TAG}:affinity:{fingerprint}"


def foreign(fingerprint: str) -> str:
    """Set of digests of a conversation's encrypted items that its account cannot read; one day."""
    return f"{TAG}:foreign:{fingerprint}"


def probe(account_id: str) -> str:
    """String: one request tries an account whose breaker is half open; PROBE_SECONDS."""
    return f"{TAG}:probe:{account_id}"


def egress() -> str:
    """String: until when our address is paused, seconds since the epoch; gone with the pause."""
    return f"{TAG}:egress"


def egress_probe() -> str:
    """String: one request of all replicas tries a paused address; PROBE_SECONDS."""
    return f"{TAG}:egress-probe"


def slots() -> str:
    """Sorted set `account request key` of answers being given, by end of lease; SLOT_SECONDS."""
    return f"{TAG}:slots"


def queue() -> str:
    """Hash of who waits for a slot, by request: since, until, weight, key, replica, accounts; QUEUE_SECONDS."""
    return f"{TAG}:queue"


def wakes(replica_id: str) -> str:
    """List `request account`: slots handed to a replica's exchanges; WAKE_SECONDS."""
    return f"{TAG}:wakes:{replica_id}"


def fair_shares() -> str:
    """Hash by key: had of a scarce pool, asked last, last request or since when it is refused.

    FAIR_SHARES_SECONDS.
    """
    return f"{TAG}:fair-shares"


def quota(account_id: str) -> str:
    """String, JSON of the quota windows last seen, when, and their trail; no expiry."""
    return f"{TAG}:quota:{account_id}"


def quota_poll(account_id: str) -> str:
    """String: an account's quota was asked for in this interval; it, longer after failures."""
    return f"{TAG}:quota-poll:{account_id}"


def catalogue(account_id: str) -> str:
    """String, JSON of the models an account may use, with etag and time; one day."""
    return f"{TAG}:catalogue:{account_id}"


def catalogue_rows() -> str:
    """Hash of whole rows of model lists, by digest."""
    return f"{TAG}:catalogue-rows"


def catalogue_poll(account_id: str) -> str:
    """String: a replica fetches an account's models just now; one minute."""
    return f"{TAG}:catalogue-poll:{account_id}"


def keys() -> str:
    """Set of API key ids; no expiry."""
    return f"{TAG}:keys"


def keys_version() -> str:
    """Counter of changes to any API key; no expiry."""
    return f"{TAG}:keys-version"


def key(key_id: str) -> str:
    """Hash of one API key and the digests of its secrets; the secrets are not kept; no expiry."""
    return f"{TAG}:key:{key_id}"


def key_digest(digest: str) -> str:
    """String: the id of the API key with this HMAC; no expiry, or the end of a rotation overlap."""
    return f"{TAG}:key-digest:{digest}"


def minute_requests(key_id: str) -> str:
    """Sorted set of a limited key's requests of the last minute by time; LIMIT_SECONDS."""
    return f"{TAG}:minute-requests:{key_id}"


def minute_tokens(key_id: str) -> str:
    """Hash of a limited key's tokens of the last minute by second; LIMIT_SECONDS."""
    return f"{TAG}:minute-tokens:{key_id}"


def streams(key_id: str) -> str:
    """Sorted set of a limited key's exchanges under way by the end of their lease; LIMIT_SECONDS."""
    return f"{TAG}:streams:{key_id}"


def stored(key_id: str) -> str:
    """Hash of a key's stored responses and their histories, by node; RESPONSE_SECONDS after the last."""
    return f"{TAG}:stored:{key_id}"


def stored_times(key_id: str) -> str:
    """Sorted set of a key's stored responses by time; RESPONSE_SECONDS after the last."""
    return f"{TAG}:stored-times:{key_id}"


def stored_times_of_all() -> str:
    """Sorted set of all stored responses (`key response`) by time; RESPONSE_SECONDS after the last."""
    return f"{TAG}:stored-times"


def stored_bytes() -> str:
    """Hash of the bytes stored for each key and for all; RESPONSE_SECONDS after the last."""
    return f"{TAG}:stored-bytes"


def response(key_id: str, response_id: str) -> str:
    """String, encrypted items of a response stored by an earlier version; RESPONSE_SECONDS."""
    return f"{TAG}:response:{key_id}:{response_id}"


def response_item(key_id: str, item_id: str) -> str:
    """String: the response of an earlier version that holds an item; RESPONSE_SECONDS."""
    return f"{TAG}:response-item:{key_id}:{item_id}"


def usage(day: str, kind: str, subject: str) -> str:
    """Hash of counters of one day (`2026-11-24`), kind `key`, `account` or `model`; USAGE_DAYS."""
    return f"{TAG}:usage:{day}:{kind}:{subject}"


def usage_subjects(day: str, kind: str) -> str:
    """Set of the subjects that have counters on a day; USAGE_DAYS."""
    return f"{TAG}:usage-subjects:{day}:{kind}"


def usage_models(day: str, key_id: str) -> str:
    """Hash of a key's, or an account's, counters of a day by model, `model counter`; USAGE_DAYS."""
    return f"{TAG}:usage-models:{day}:{key_id}"


def usage_packed(period: str, kind: str) -> str:
    """Hash of packed counters by subject, of a day (USAGE_DAYS) or a month `2026-11` (USAGE_MONTHS).

    Kind `key`, `account`, `model`, or `key-model` with subjects `key model`.
    """
    return f"{TAG}:usage-packed:{period}:{kind}"


def usage_roll_up() -> str:
    """String with the token of the console that packs old days just now; ROLL_UP_SECONDS."""
    return f"{TAG}:usage-roll-up"


def usage_series(day: str) -> str:
    """Hash of the pool's counters of a day, `slot counter`: slots of five minutes; SERIES_SECONDS."""
    return f"{TAG}:usage-series:{day}"


def settled(hour: str) -> str:
    """Set of the ids of exchanges admitted in an hour that are counted; SETTLED_SECONDS."""
    return f"{TAG}:settled:{hour}"


def logs() -> str:
    """Stream of log entries, trimmed to about as many as the settings say (10,000); cleared, it keeps its last id."""
    return f"{TAG}:logs"


def log_index() -> str:
    """Sorted set of the ids of the requests in the log, by the millisecond of their entry; as many as it has."""
    return f"{TAG}:log-index"


def cleared_logs() -> str:
    """Stream of the entries that were cleared, for undoing it; CLEARED_LOGS_SECONDS."""
    return f"{TAG}:cleared-logs"


def settings() -> str:
    """Hash of the settings that can be changed while running; no expiry."""
    return f"{TAG}:settings"


def login(state: str) -> str:
    """String, sealed JSON of a pending login by state or handle; PENDING_LOGIN_SECONDS or its code's."""
    return f"{TAG}:login:{state}"


def login_outcome(login_id: str) -> str:
    """String, JSON of how a login stands, for whoever waits for it; its time and ten minutes more."""
    return f"{TAG}:login-outcome:{login_id}"


def session(session_id: str) -> str:
    """String, JSON of an administrator's session; its idle limit."""
    return f"{TAG}:session:{session_id}"


def sessions() -> str:
    """Sorted set of the digests of administrators' sessions by their absolute end; no expiry."""
    return f"{TAG}:sessions"


def login_poll(login_id: str) -> str:
    """String: a replica asks about this device code in this interval; the interval."""
    return f"{TAG}:login-poll:{login_id}"


def sign_in_link(digest: str) -> str:
    """String: a printed one-time sign-in link by its token's digest; SIGN_IN_LINK_SECONDS."""
    return f"{TAG}:sign-in-link:{digest}"


def attempts() -> str:
    """Prefix of counters of sign-in attempts and refusals, by kind and address; their windows."""
    return f"{TAG}:attempts"


def audit() -> str:
    """Stream of what administrators did, trimmed to about 10,000; clearing the log leaves it."""
    return f"{TAG}:audit"


def admin() -> str:
    """Hash with the administrator's password hash and setup token digest; no expiry."""
    return f"{TAG}:admin"


def admin_token(digest: str) -> str:
    """Hash of one admin token for scripts, by its digest; no expiry."""
    return f"{TAG}:admin-token:{digest}"


def admin_tokens() -> str:
    """Set of admin token digests; no expiry."""
    return f"{TAG}:admin-tokens"


def replicas() -> str:
    """Set of the replicas that may be alive, `service id`; no expiry."""
    return f"{TAG}:replicas"


def replica(service: str, replica_id: str) -> str:
    """String, JSON of a replica: version, start, in flight; REPLICA_SECONDS."""
    return f"{TAG}:replica:{service}:{replica_id}"
