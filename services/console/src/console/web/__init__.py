"""The console's pages and its JSON API: the only place that knows Litestar."""
