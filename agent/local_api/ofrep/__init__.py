"""The OpenFeature Remote Evaluation Protocol 0.3: what any OpenFeature SDK reads an agent with, without one of ours."""
