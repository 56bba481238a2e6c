from codeio.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NormalizeRequest(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: _records_pb2.RawFile
    def __init__(self, file: _Optional[_Union[_records_pb2.RawFile, _Mapping]] = ...) -> None: ...

class NormalizeResponse(_message.Message):
    __slots__ = ("programs", "rejections")
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_FIELD_NUMBER: _ClassVar[int]
    programs: _containers.RepeatedCompositeFieldContainer[_records_pb2.Program]
    rejections: _containers.RepeatedCompositeFieldContainer[_records_pb2.Rejection]
    def __init__(self, programs: _Optional[_Iterable[_Union[_records_pb2.Program, _Mapping]]] = ..., rejections: _Optional[_Iterable[_Union[_records_pb2.Rejection, _Mapping]]] = ...) -> None: ...
