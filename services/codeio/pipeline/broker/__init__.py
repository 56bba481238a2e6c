"""What is done with the records in a broker: submit, watch, look at what broke, take the data set.

One module for each command.
"""
