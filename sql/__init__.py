"""What every table is: one SELECT a file, and the warehouse that runs them."""
