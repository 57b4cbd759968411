"""The tables of hand-written forms: answered, refused, not attention, and those for which either is right."""

from tests import (
    attention_forms_distribution,
    attention_forms_doubtful,
    attention_forms_mixed,
    attention_forms_other,
    attention_forms_path,
    attention_forms_pooling,
    attention_forms_position,
    attention_forms_published,
    attention_forms_refused,
    attention_forms_spelling,
    attention_forms_structure,
)
from tests.attention_form import Form

ANSWERED: dict[str, Form] = {
    **attention_forms_spelling.FORMS,
    **attention_forms_position.FORMS,
    **attention_forms_pooling.FORMS,
    **attention_forms_mixed.FORMS,
    **attention_forms_structure.FORMS,
    **attention_forms_path.FORMS,
    **attention_forms_published.FORMS,
}
REFUSED: dict[str, Form] = attention_forms_refused.FORMS
NOT_ATTENTION: dict[str, Form] = {**attention_forms_other.FORMS, **attention_forms_distribution.FORMS}
EITHER: dict[str, Form] = attention_forms_doubtful.FORMS
