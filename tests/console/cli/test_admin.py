"""Admin tokens from the command line."""

from click.testing import CliRunner, Result

from codex_proapi.console.cli.admin import admin


def run(environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(admin, ["token", *arguments], obj=environ)


def test_a_token_is_made_listed_and_revoked(environ: dict[str, str]) -> None:
    made = run(environ, "create", "deploy")
    listed = run(environ, "list").stdout
    token_id = listed.splitlines()[1].split("\t")[0]
    revoked = run(environ, "revoke", token_id)

    secret = made.stdout.strip()
    assert secret.startswith("cpadm-")
    assert secret not in listed
    assert "\tdeploy\t" in listed
    assert revoked.stdout == f"revoked {token_id}\n"
    assert run(environ, "list").stdout.startswith("no admin tokens yet")


def test_an_unknown_token_is_told(environ: dict[str, str]) -> None:
    result = run(environ, "revoke", "abc")

    assert result.exit_code == 1
    assert "no admin token has the id abc" in result.output


def test_a_password_is_set_also_a_forgotten_one(environ: dict[str, str]) -> None:
    command = ["password", "--stdin"]
    first = CliRunner().invoke(admin, command, obj=environ, input="correct horse battery\n")
    second = CliRunner().invoke(admin, ["password"], obj=environ, input="new horse battery\n" * 2)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "horse" not in first.output + second.output


def test_a_weak_password_is_told(environ: dict[str, str]) -> None:
    result = CliRunner().invoke(admin, ["password", "--stdin"], obj=environ, input="short\n")

    assert result.exit_code == 1
    assert "12 characters" in result.output
