"""Answers SQL for people who reach the service by the web, in processes that can read the lake and nothing else.

`client` is what the service uses; the process must load as little as possible before it has confined itself.
"""
