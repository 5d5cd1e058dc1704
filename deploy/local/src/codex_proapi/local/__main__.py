"""`python -m codex_proapi.local`: the same command line as `codex-proapi`."""

from codex_proapi.console.cli.__main__ import main

if __name__ == "__main__":
    main()
