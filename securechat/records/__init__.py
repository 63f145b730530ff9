"""The durable records about accounts and rooms, shared by the hub and the storage."""
