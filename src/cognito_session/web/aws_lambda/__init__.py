"""AWS Lambda: events of API Gateway, Function URLs and ALB, the `protect` decorator, the authorizer, and WebSocket messages."""
