"""`trimtab`: the operator's command. The client commands speak to the API like anybody else; the rest start processes."""
