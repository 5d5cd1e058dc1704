"""A strict simulated Codex backend and authorization server, for demos, tests and staging.

It answers the routes of `chatgpt.com/backend-api` and `auth.openai.com` that this product uses, with
invented accounts, refuses what the real servers refuse, and fails on demand. It checks requests as
its authors understand the real servers: what passes here is not proved to pass there.

In a test:

    from codex_proapi.simulator import Simulator

    async with Simulator() as sim:         # Simulator(tls=context) for https with your certificate
        sim.environ                    # CODEX_BASE_URL and CODEX_AUTH_URL that point here
        sim.accounts                   # ada (plus), ben (pro), cleo (team); append more
        sim.auth_json("ada")           # a fresh auth.json; expires_in=-60 for an expired one
        sim.headers("ada")             # to speak to the backend oneself
        sim.script("usage_limit_reached", account="ada", times=2, resets_in=60)
        sim.script("failed", failure="server_is_overloaded", words=0)      # after the 200
        sim.script("truncated", cut_after=700, cut="reset", times=None)
        sim.script("bare_403", account="ben")                              # no body, no reason
        sim.script("late_end", end_delay=2)        # the last chunk two seconds after the last event
        sim.script("late_head", silence=8)         # no head before the first delta
        sim.script("silent", on="upload", delay=3) # the body is not read for three seconds
        await sim.refuse_connections()             # until accept_connections()
        sim.hurry()                                # no fault waits any longer, nor do those to come
        sim.script("token_slow", on="token", delay=35)
        sim.script("refresh_token_reused", on="token")
        sim.script("answer_lost", on="token")        # processed, rotated, never answered
        sim.turns                      # requests to POST /responses: headers, body, account, ending
        sim.token_calls                # calls of the token endpoint with their outcome

        sim.world.leniency = Leniency(foreign_seals=True)  # for bodies recorded elsewhere
        sim.world.leniency = Leniency(classic_on_lite=False)  # lite models want the lite shape

`faults.NAMED` has every name, `faults.Fault` every field. An received's `ending` says how it closed:
`whole`, `refused`, `failed`, `cut`, `dropped`, or `client_left` when the caller hung up.

For other processes: `python -m codex_proapi.simulator --port N`, then `POST /_simulator/faults`
(`{"fault": "usage_limit_reached", "account": "ada", "times": null}`), `GET /_simulator/requests`,
`POST /_simulator/accounts/ada/login`. By hand, inside a prompt: `[[fault:overloaded once]]`,
`[[fault:failed failure=slow_down words=2]]`, `[[refuse]]`, `[[commentary]]`.

It answers in small ways: "say X" and "echo X" give X; "count to N" and "write N words" make long
answers; naming a declared tool, or a verb that suits one, calls it with arguments that fit its
schema; after the tool has answered it quotes that and stops. It never loops.
"""

from codex_proapi.simulator.server import Simulator
from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.leniency import Leniency
from codex_proapi.simulator.state.received_requests import ReceivedRequest, TokenCall

__all__ = ["Fault", "Leniency", "ReceivedRequest", "SimulatedAccount", "Simulator", "TokenCall"]
