"""Changes to the database, in order: one folder for each Piccolo app.

`vendor-mgmt migrate new APP` writes one from the difference between the tables in the code and the migrations so far. What tables
cannot say (partial, covering and BRIN indexes, triggers, row security) is written by hand with `vendor_mgmt.migrating.sql_migration`.

The names of files begin with their app's: Piccolo imports them by bare name, so two files of one name would silently be the same file.
"""
