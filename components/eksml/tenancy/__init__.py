"""Teams on one cluster: what each may use, reach and see, and the queues that their jobs wait in."""
