"""Personal data in routing: none; its models say what can be reached, and how."""

from django.db.models import Model

from accounts.personal_data import Store
from routing.models import Channel, Endpoint, Incident, IncidentUpdate, ModelAlias
from routing.models import Model as CatalogueModel

STORES: tuple[Store, ...] = ()
IMPERSONAL: dict[type[Model], str] = {
    Channel: "The operator's own ways to vendors.",
    CatalogueModel: "The public catalogue.",
    Endpoint: "The public catalogue.",
    Incident: "What failed here, for everybody to read.",
    IncidentUpdate: "What failed here, for everybody to read.",
    ModelAlias: "The public catalogue.",
}
