"""Fields whose pickers Chromium opens in windows that no screencast shows: dates, times, colours, lists of suggestions.

A script in a world of its own, which the page's scripts do not see, keeps the picker of a clicked field closed and tells of
the field; the person chooses in a picker of their own browser, and the script puts the value in as an `input` and a `change`.
A picker that a key has opened (which keys do is Chromium's own business) is told of likewise, to be closed with Escape; so is
one that the page's own `showPicker()` has opened, which the same script hears of in the page's world.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

PickedType = Literal["date", "time", "month", "week", "datetime-local", "color", "text"]

# `name` is the binding through which the script speaks; what it leaves behind has the same name with `:` (the person's answer
# to a number; null asks whether the field's own picker is open) or `-` (the end).
PICKER_SCRIPT = """((name,inPage)=>{
const own=['date','time','month','week','datetime-local','color'],written=['text','search','url','tel','email','number'];
if(Object.hasOwn(globalThis,name+':'))return;
let field=null,last=0;
const usable=on=>on?.tagName=='INPUT'&&!on.disabled&&!on.readOnly;
const offered=on=>written.includes(on.type)?[...on.list?.options??[]].filter(o=>o.value&&!o.disabled).slice(0,300)
.map(o=>[o.value.slice(0,500),o.label.slice(0,500)]):[];
const tell=on=>{const options=offered(on);
if(!own.includes(on.type)&&!options.length)return false;
field=on;
globalThis[name]?.(JSON.stringify([++last,{type:options.length?'text':on.type,value:on.value.slice(0,10000),min:on.min,max:on.max,
step:on.step,options}]));
return true};
Object.defineProperty(globalThis,name+':',{value:(id,value)=>{if(id!=last||!field)return false;
if(value===null)return field.matches(':open');
field.value=value;for(const kind of ['input','change'])field.dispatchEvent(new Event(kind,{bubbles:true,composed:true}))}});
if(inPage){const owner=HTMLInputElement.prototype;
owner.showPicker=new Proxy(owner.showPicker,{apply(f,self,args){const r=Reflect.apply(f,self,args);tell(self);return r}});
return}
const clicked=event=>{const on=event.composedPath()[0];
if(event.isTrusted&&usable(on)&&tell(on))event.preventDefault()};
const pressed=event=>{const on=event.composedPath()[0];
if(!event.isTrusted||!usable(on))return;
if(own.includes(on.type))setTimeout(()=>on.matches(':open')&&tell(on));
else if(/^Arrow(Up|Down)$/.test(event.key)&&(event.altKey||on.type!='number')&&tell(on))event.preventDefault()};
const heard={click:clicked,keydown:pressed,keypress:pressed};
for(const kind in heard)addEventListener(kind,heard[kind],true);
globalThis[name+'-']=()=>{for(const kind in heard)removeEventListener(kind,heard[kind],true)}})"""


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
