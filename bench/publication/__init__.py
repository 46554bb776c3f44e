"""Results as files to publish: one HTML page that needs no network, tables, figures and the records behind them."""
