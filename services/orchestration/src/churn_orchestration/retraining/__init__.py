"""How does a request become a better champion, or a reason why not?"""
