"""Amazon API Gateway, REST APIs: the control plane."""
