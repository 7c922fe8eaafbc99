"""A page for the browser that shows how well formulas are read: `page.write`."""
