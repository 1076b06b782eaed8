"""A feature pyramid: several maps of a backbone joined into one."""
