"""MQTT 3.1.1 and 5: a codec of our own, the endpoint for devices, and the client of a broker."""

from gateway.ingest.mqtt.broker_connection import ClientSettings
from gateway.ingest.mqtt.broker_url import BrokerUrlError
from gateway.ingest.mqtt.client import BrokerClient
from gateway.ingest.mqtt.counters import Counters
from gateway.ingest.mqtt.device_connection import Limits
from gateway.ingest.mqtt.endpoint import Endpoint, EndpointBusy, EndpointError
from gateway.ingest.mqtt.identity import Authorise, Refusal, trust
from gateway.ingest.mqtt.packets import Will
from gateway.ingest.mqtt.reasons import Reason

__all__ = [
    "Authorise",
    "BrokerClient",
    "BrokerUrlError",
    "ClientSettings",
    "Counters",
    "Endpoint",
    "EndpointBusy",
    "EndpointError",
    "Limits",
    "Reason",
    "Refusal",
    "Will",
    "trust",
]
