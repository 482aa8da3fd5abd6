"""What a page may be allowed: location, notifications, camera, microphone, clipboard.

A headless Chromium denies all of it at once; the functions that ask are wrapped so that the person in control is asked first.
"""

PERMISSIONS = {
    "geolocation": ("geolocation",),
    "notifications": ("notifications",),
    "camera": ("camera",),
    "microphone": ("microphone",),
    "media": ("camera", "microphone"),
    "clipboard": ("clipboard-read",),
}
"""What a page asks for -> the DevTools names of what is then allowed or blocked."""

# The page's functions stay what they are to a look from outside (a Proxy answers toString as native). Whoever asks while
# nobody listens any more goes on to the browser's own answer after a moment.
PERMISSION_SCRIPT = """(name=>{
const waiting=new Map();let last=0;
if(Object.hasOwn(globalThis,name+'_'))return;
Object.defineProperty(globalThis,name+'_',{value:(id,heard)=>{const w=waiting.get(id);
if(!w)return;clearTimeout(w.timer);if(!heard){waiting.delete(id);w.done()}}});
const ask=what=>new Promise(done=>{const id=++last;
const timer=setTimeout(()=>{waiting.delete(id);done()},1500);
waiting.set(id,{done,timer});
const send=()=>globalThis[name]?globalThis[name](JSON.stringify([id,what])):waiting.has(id)&&setTimeout(send,50);
send()});
const wrap=(owner,method,what,async_)=>{if(!owner||!owner[method])return;
owner[method]=new Proxy(owner[method],{apply(f,self,args){
const w=ask(what(args)).then(()=>Reflect.apply(f,self,args));
return async_?w:void w.catch(()=>{})}})};
const of=c=>globalThis[c]?.prototype;
wrap(of('Geolocation'),'getCurrentPosition',()=>'geolocation',false);
wrap(globalThis.Notification,'requestPermission',()=>'notifications',true);
wrap(of('MediaDevices'),'getUserMedia',([c])=>c?.audio&&c?.video?'media':c?.audio?'microphone':'camera',true);
wrap(of('Clipboard'),'read',()=>'clipboard',true);wrap(of('Clipboard'),'readText',()=>'clipboard',true)})"""
