"""Phrases that give a completion away, by language: regular expressions without look-around.

A refusal counts only at the beginning of a text: an essay may quote one. Languages that are not listed have
no phrases of their own, but the English ones count in every language, since models fall back to English.
"""

REFUSALS = {
    "eng_Latn": r"(?:i(?:'|’)?m|i am) (?:very |so |really )?(?:sorry|afraid),? (?:but )?(?:i|that|as an ai)|i (?:can(?:'|’)?t|cannot|am unable to|am not able to|won(?:'|’)?t|will not) (?:help|assist|fulfil|comply|provide|answer|do that|create|write|generate|translate)|as an ai(?: language)? model,? i (?:can|do not|don)",
    "arb_Arab": r"(?:عذر[اًا]+|آسف|أعتذر)[^.]{0,40}(?:لا أستطيع|لا يمكنني|لا أقدر|لست قادر)|لا (?:أستطيع|يمكنني) (?:مساعدت|تلبية|تقديم|المساعدة)",
    "ces_Latn": r"(?:omlouvám se|je mi líto),? ale[^.]{0,40}(?:nemohu|nemůžu|nedokážu)|nemohu (?:vám|ti) (?:s tím )?pomoci",
    "deu_Latn": r"(?:es tut mir leid|tut mir leid|entschuldigung|ich bedau[e]?re),?[^.]{0,40}(?:ich kann|kann ich|ich bin nicht in der lage)|ich kann (?:dir|ihnen) (?:dabei|damit|bei)[^.]{0,30}nicht helfen",
    "ell_Grek": r"(?:λυπάμαι|συγγνώμη|με συγχωρείτε),?[^.]{0,30}δεν μπορώ|δεν μπορώ να (?:σας |σε )?(?:βοηθήσω|εκπληρώσω)",
    "fra_Latn": r"(?:je suis )?(?:désolée?|navrée?),?[^.]{0,40}je ne (?:peux|suis pas)|je ne peux pas (?:vous |t['’])?(?:aider|répondre à cette|satisfaire)",
    "heb_Hebr": r"(?:אני )?(?:מצטער|מצטערת|סליחה)[^.]{0,30}(?:אינני|אני לא|לא) (?:יכול|יכולה|מסוגל)|(?:אינני|אני לא) (?:יכול|יכולה) (?:לעזור|לסייע)",
    "hin_Deva": r"(?:क्षमा करें|माफ़? ?करें|मुझे खेद है|माफ़ कीजिए)[^।]{0,60}(?:नहीं (?:कर|दे) सकत|असमर्थ)|मैं (?:आपकी|इसमें) (?:मदद|सहायता) नहीं कर सकत",
    "ind_Latn": r"(?:maaf|mohon maaf),?[^.]{0,40}(?:tidak (?:dapat|bisa)|tak bisa)|saya tidak (?:dapat|bisa) (?:membantu|memenuhi|memberikan)",
    "ita_Latn": r"(?:mi dispiace|spiacente|scusa(?:mi|te)?),?[^.]{0,40}non (?:posso|sono in grado)|non posso (?:aiutarti|aiutarla|soddisfare|fornire)",
    "jpn_Jpan": r"(?:申し訳(?:ありません|ございません)|すみません|ごめんなさい)[^。]{0,40}(?:できません|できかねます|お手伝い)|お(?:手伝い|答え)(?:は|することは)?できません",
    "kor_Hang": r"(?:죄송(?:합니다|하지만|해요)|미안(?:합니다|하지만))[^.]{0,50}(?:수 없|못합|어렵)|도와드릴 수 없",
    "nld_Latn": r"(?:het spijt me|sorry|helaas),?[^.]{0,40}(?:ik kan|kan ik|ik ben niet in staat)|ik kan (?:je|u) (?:hier|daar)[^.]{0,20}niet (?:bij |mee )?helpen",
    "pes_Arab": r"(?:متأسفم|ببخشید|متاسفم|پوزش)[^.]{0,40}(?:نمی‌?توانم|قادر نیستم)|نمی‌?توانم (?:به شما )?(?:کمک|پاسخ)",
    "pol_Latn": r"(?:przepraszam|przykro mi|niestety),?[^.]{0,40}nie (?:mogę|jestem w stanie)|nie mogę (?:ci|panu|pani) pomóc",
    "por_Latn": r"(?:desculpe|sinto muito|lamento|peço desculpas?),?[^.]{0,40}não (?:posso|consigo|sou capaz)|não posso (?:ajudar|atender|fornecer)",
    "ron_Latn": r"(?:îmi pare rău|imi pare rau|scuze),?[^.]{0,40}nu (?:pot|sunt capabil)|nu (?:te|vă) pot ajuta",
    "rus_Cyrl": r"(?:извините|простите|к сожалению|прошу прощения|мне (?:очень )?жаль),?[^.]{0,40}(?:я не могу|не могу|не в состоянии)|я не могу (?:помочь|выполнить|ответить на этот|предоставить)",
    "spa_Latn": r"(?:lo siento|lo lamento|disculpa|perdón),?[^.]{0,40}no (?:puedo|soy capaz)|no puedo (?:ayudar|cumplir|proporcionar)",
    "tur_Latn": r"(?:üzgünüm|özür dilerim|maalesef|kusura bakma)[^.]{0,60}(?:amam|emem|amıyorum|emiyorum|mümkün değil)|yardımcı olama",
    "ukr_Cyrl": r"(?:вибачте|перепрошую|на жаль|мені (?:дуже )?шкода),?[^.]{0,40}(?:я не можу|не можу|не в змозі)|я не можу (?:допомогти|виконати|надати)",
    "vie_Latn": r"(?:xin lỗi|rất tiếc|tôi rất tiếc),?[^.]{0,40}(?:không thể|không được phép)|tôi không thể (?:giúp|hỗ trợ|đáp ứng|cung cấp)",
    "zho_Hans": r"(?:抱歉|对不起|很遗憾|不好意思)[^。]{0,30}(?:无法|不能|没办法|没有办法)|我(?:无法|不能)(?:帮助|协助|提供|回答|满足)",
    "zho_Hant": r"(?:抱歉|對不起|很遺憾|不好意思)[^。]{0,30}(?:無法|不能|沒辦法|沒有辦法)|我(?:無法|不能)(?:幫助|協助|提供|回答|滿足)",
}

MAKERS = "OpenAI|Open AI|Anthropic|Google|DeepMind|Cohere|Meta|Mistral|Microsoft|Alibaba|DeepSeek|Baidu|LMSYS|Stability ?AI|xAI|阿里|百度|智谱|谷歌"
MODELS = r"ChatGPT|GPT-?[345]|Claude|Gemini|Bard|Aya|Command[ -]R|Llama|Mistral|Mixtral|Vicuna|Alpaca|Qwen|通义千问|文心一言|Bing Chat|Copilot"
SELF = (
    rf"(?:as an? (?:ai|artificial intelligence|large language)(?: language)?(?: model| assistant)?,? (?:\w+ ){{0,2}}(?:developed|created|trained|made|built|designed) by (?:{MAKERS}))"
    rf"|(?:i(?:'|’)?m|i am|my name is) (?:called |known as )?(?:{MODELS})(?-u:\b)"
    rf"|(?:i(?:'|’)?m|i am|as) an? (?:ai|artificial intelligence|large language|language)(?: language)? ?(?:model|assistant)?(?-u:\b)"
    rf"|ich bin (?:{MODELS})(?-u:\b)|als (?:ein )?(?:ki|ai)[- ](?:sprach)?(?:modell|assistent)|als (?:großes )?sprachmodell"
    rf"|je suis (?:{MODELS})(?-u:\b)|en tant qu['’](?:ia(?-u:\b)|intelligence artificielle|assistant (?:ia|virtuel)|modèle de langage)|en tant que modèle de langage"
    rf"|soy (?:{MODELS})(?-u:\b)|como (?:un )?(?:modelo de lenguaje|inteligencia artificial|asistente de ia|ia(?-u:\b))"
    rf"|sono (?:{MODELS})(?-u:\b)|come (?:modello linguistico|intelligenza artificiale|assistente (?:ia|virtuale))"
    rf"|(?:eu )?sou (?:o |a )?(?:{MODELS})(?-u:\b)|como (?:um )?(?:modelo de linguagem|uma? inteligência artificial)"
    rf"|ik ben (?:{MODELS})(?-u:\b)|als (?:een )?(?:ai[- ]|kunstmatige intelligentie|taalmodel)"
    r"|jako (?:model językowy|sztuczna inteligencja|jazykový model|umělá inteligence)|ca (?:model de limbaj|inteligență artificială)"
    r"|как (?:языковая модель|искусственный интеллект|ии[ -])|як (?:мовна модель|штучний інтелект)|ως (?:γλωσσικό μοντέλο|τεχνητή νοημοσύνη)"
    r"|sebagai (?:model bahasa|kecerdasan buatan|asisten ai)|bir (?:yapay zek[aâ]|dil) (?:modeli|asistanı)? ?olarak|là một (?:mô hình ngôn ngữ|trí tuệ nhân tạo|ai(?-u:\b))"
    r"|(?:بصفتي|كوني|باعتباري) (?:نموذج|ذكاء|مساعد)|به عنوان (?:یک )?(?:مدل زبان|هوش مصنوعی)|כמודל שפה|כבינה מלאכותית"
    r"|एक (?:एआई|AI|कृत्रिम बुद्धिमत्ता|भाषा) (?:भाषा )?मॉडल (?:के रूप में|होने)|作为(?:一个|一名)?(?:AI|人工智能|语言模型)|作為(?:一個|一名)?(?:AI|人工智慧|語言模型)"
    r"|(?:AI|人工知能|言語モデル)(?:アシスタント|言語モデル)?として|(?:AI|인공지능|언어 ?모델)(?: 언어 모델| 어시스턴트)?(?:로서|로써)"
)

# Marks that chat templates put around turns, and headings that stand for them.
TEMPLATE = (
    r"<\|[a-zA-Z_][a-zA-Z_0-9 ]*\|>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|<\|?(?:END|START)_OF_TURN(?:_TOKEN)?\|?>|<(?:unk|bos|eos|pad)>|</s>"
    r"|(?m:^(?:### )?(?:Human|User|Assistant|Instruction|Response) ?:\s)|(?m:^Q: .*\nA: )"
)

ABOUT_TRANSLATING = (
    r"(?i)(?-u:\b)(?:both|all|these) (?:options|translations|versions)?.{0,20}(?:are )?(?:valid|correct|possible|acceptable) translations?(?-u:\b)"
    r"|(?-u:\b)here(?:'|’)?s? (?:is )?(?:the|a|my|your) (?:\w+ )?translation(?-u:\b)|(?-u:\b)the (?:\w+ )?translation (?:of (?:the|this|your) (?:\w+ )?(?:text|sentence|phrase|word|prompt)|is:|would be)"
    r"|(?-u:\b)(?:can be|could be|is|would be|may be) translated (?:as|to|into)(?-u:\b)|(?-u:\b)translat(?:es|ed) (?:in)?to (?:english|german|french|spanish|chinese|japanese|korean|arabic|russian|hindi|turkish|polish|dutch|italian|portuguese|vietnamese|hebrew|greek|czech|romanian|ukrainian|persian|indonesian)(?-u:\b)"
    r"|(?-u:\b)as a translat(?:or|ion model)(?-u:\b)|(?-u:\b)note: (?:the|this|i) (?:have )?translat"
)
