"""What cron starts beside the worker: Versioner, Registrar, Manager, Cleaner."""
