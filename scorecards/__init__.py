"""What was delivered, judged and priced."""
