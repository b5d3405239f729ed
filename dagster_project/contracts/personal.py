"""Which delivered column names look like a person: the one word list, in Chinese, pinyin initials, Japanese and English.

A mapped column whose delivered name matches must say what becomes of the value (drop, hmac, generalise, or keep with a
reason). The list errs on the side of asking: 'keep' with a reason answers a false alarm.
"""

from __future__ import annotations

import re
from functools import cache

_IDEOGRAPHIC = {
    "person": (
        "姓名",
        "报警人",
        "当事人",
        "嫌疑人",
        "被害人",
        "受害人",
        "举报人",
        "申请人",
        "联系人",
        "驾驶人",
        "证人",
        "户主",
        "氏名",
        "曾用名",
        "绰号",
        "昵称",
    ),
    "attribute of a person": ("年龄", "性别", "民族", "籍贯", "出生", "职业", "学历", "婚姻", "年齢", "性別", "職業"),
    "telephone": ("电话", "手机", "联系方式", "传真", "電話"),
    "ID card": ("身份证", "证件号", "公民身份", "护照", "社保号", "警号", "驾驶证"),
    "plate": ("车牌", "号牌", "车架号", "发动机号"),
    "face": ("人脸", "照片", "头像", "指纹", "虹膜", "声纹", "顔"),
    "account": ("账号", "帐号", "账户", "帐户", "银行卡", "卡号", "微信", "支付宝", "邮箱", "用户名"),
    "address or trajectory": ("住址", "地址", "户籍", "轨迹", "经度", "纬度", "坐标", "定位", "行程", "住所", "緯度", "経度"),
    "free text": ("报警内容", "简要案情", "通话内容", "录音", "备注内容"),
}
_TOKENS = {
    "person": (
        "fullname",
        "firstname",
        "lastname",
        "surname",
        "forename",
        "nickname",
        "victim",
        "suspect",
        "witness",
        "caller",
        "complainant",
        "applicant",
        "driver",
        "bjrxm",
        "dsr",
        "dsrxm",
        "bjr",
        "lxr",
        "lxrxm",
        "xyrxm",
        "bhrxm",
    ),
    "attribute of a person": ("age", "sex", "gender", "ethnicity", "race", "occupation", "birth", "birthday", "dob", "csrq"),
    "telephone": ("phone", "telephone", "mobile", "tel", "msisdn", "fax", "lxdh", "bjdh", "bjrdh", "sjhm", "sj11", "lxfs"),
    "ID card": ("idcard", "passport", "ssn", "sfzh", "sfzhm", "gmsfhm", "zjhm", "zjhm18", "jsz", "licence", "license"),
    "plate": ("plate", "vin", "hphm", "cphm", "cph"),
    "face": ("face", "photo", "portrait", "fingerprint", "iris", "voiceprint"),
    "account": ("account", "iban", "card", "wechat", "email", "username", "qq", "imei", "imsi", "mac", "yhkh", "openid"),
    "address or trajectory": (
        "address",
        "postcode",
        "longitude",
        "latitude",
        "lon",
        "lng",
        "lat",
        "easting",
        "northing",
        "grideasting",
        "gridnorthing",
        "trajectory",
        "track",
        "gps",
        "bjdz",
        "jzd",
        "hjd",
    ),
    "free text": ("narrative", "transcript", "bjnr", "jyaq"),
}
_PHRASES = {
    "person": ("full name", "first name", "last name", "given name", "family name", "caller name", "person name"),
    "account": ("user name", "card number"),
    "ID card": ("id card", "id number"),
    "attribute of a person": ("date of birth",),
}
_WHOLE_NAMES = {  # pinyin initials too short to look for inside longer names
    "person": ("xm",),
    "attribute of a person": ("nl", "xb", "mz"),
    "telephone": ("dh",),
    "ID card": ("jh",),
    "face": ("zp",),
    "account": ("zh",),
    "address or trajectory": ("dz", "zz", "jd", "wd"),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@cache
def personal_kind(delivered_name: str) -> str | None:
    """What a delivered column name looks like ('telephone', 'plate', …), or None when it looks like no person."""
    for kind, parts in _IDEOGRAPHIC.items():
        if any(part in delivered_name for part in parts):
            return kind
    words = [w.lower() for w in _WORD.findall(delivered_name)]
    tokens = set(words) | {"".join(words), re.sub(r"\W", "", delivered_name).lower()}
    phrase = " ".join(words)
    whole = delivered_name.strip().lower()
    for kind, known in _TOKENS.items():
        if tokens & set(known) or whole in _WHOLE_NAMES.get(kind, ()) or any(p in phrase for p in _PHRASES.get(kind, ())):
            return kind
    return None
