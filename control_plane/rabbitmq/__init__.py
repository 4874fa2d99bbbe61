"""The broker: publish with confirms. The only package of the control plane that imports aio_pika."""
