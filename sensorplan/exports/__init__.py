"""What a plan looks like outside: tables, maps, figures and the plan folder."""
