"""Behind us: signed calls to AWS (`wire`), and the store and the identity provider that speak through them."""
