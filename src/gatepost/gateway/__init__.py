"""How clients use deployed APIs: router, plans, guards, backends, finishers and observers."""
