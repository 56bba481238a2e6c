"""The log in a Kafka broker: `runtime.log` between services.

`connection` reaches the broker and says why it cannot, `writer` makes transactions,
`member` reads as one of a consumer group, `log` is what the worker sees, `topics`
declares and creates what is needed on the broker.
"""

from codeio.runtime.kafka.log import KafkaLog

__all__ = ["KafkaLog"]
