"""Fields whose pickers Chromium opens in windows that no screencast shows: dates, times, colours, lists of suggestions.

A script in a world of its own, which the page's scripts do not see, keeps the picker of a clicked field closed and tells of
the field; the person chooses in a picker of their own browser, and the script puts the value in as an `input` and a `change`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

PickedType = Literal["date", "time", "month", "week", "datetime-local", "color", "text"]

# `name` is the binding through which the script speaks; what it leaves in its own world has the same name.
PICKER_SCRIPT = """(name=>{
const own=['date','time','month','week','datetime-local','color'],written=['text','search','url','tel','email','number'];
let field=null,last=0;
const clicked=event=>{const on=event.composedPath()[0];
if(!event.isTrusted||on?.tagName!='INPUT'||on.disabled||on.readOnly)return;
const options=written.includes(on.type)?[...on.list?.options??[]].filter(o=>o.value&&!o.disabled).slice(0,300)
.map(o=>[o.value.slice(0,500),o.label.slice(0,500)]):[];
if(!own.includes(on.type)&&!options.length)return;
event.preventDefault();field=on;
globalThis[name]?.(JSON.stringify([++last,{type:options.length?'text':on.type,value:on.value.slice(0,10000),min:on.min,max:on.max,
step:on.step,options}]))};
addEventListener('click',clicked,true);
globalThis[name+'_']=(id,value)=>{if(id!==last||!field||value===null)return;
field.value=value;for(const kind of ['input','change'])field.dispatchEvent(new Event(kind,{bubbles:true,composed:true}))};
globalThis[name+'-']=()=>removeEventListener('click',clicked,true)})"""


class Field(BaseModel):
    """A field as its page describes it, in the words of HTML's input element. `options`: value and label of suggestions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: PickedType
    value: str = ""
    min: str = ""
    max: str = ""
    step: str = ""
    options: list[tuple[str, str]] = []


def field_of(told: object) -> Field | None:
    """The field that a page's script told of; None for anything else that a page may have sent."""
    try:
        return Field.model_validate(told)
    except ValidationError:
        return None
