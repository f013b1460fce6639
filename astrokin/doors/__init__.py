"""How sources come in and go out: column names, kinds of table, sky coordinates, files. `astrokin.tables` leads here."""
