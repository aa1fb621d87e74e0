"""A fake ATZ CRM."""
