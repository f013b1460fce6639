"""How sources come in and go out, whatever holds them. `astrokin.tables` leads here."""
